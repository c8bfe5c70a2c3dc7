"""What runs of workflows cost: deciding, writing down, and all of it beside another engine."""
