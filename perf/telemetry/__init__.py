"""What the measurements of telemetry share: a receiver that keeps everything, loads, and arithmetic on what arrived."""
