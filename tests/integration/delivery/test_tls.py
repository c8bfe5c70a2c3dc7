"""TLS by both protocols: private authorities, certificates of our own, and files that are wrong first and mended later."""

import ssl
from pathlib import Path

import pytest
import trustme

from ignis_server.telemetry.delivery.destination import Destination, TlsFiles
from support.batches import BatchMaker
from support.delivering import World, delivering, shipped
from support.otlp_receiver import OtlpReceiver, ServerTls, otlp_receiver
from support.otlp_wire import Wire
from support.pending import PendingInMemory


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def stranger() -> trustme.CA:
    return trustme.CA()


def one_batch() -> PendingInMemory:
    return PendingInMemory(BatchMaker().spans("one"))


def server_tls(authority: trustme.CA, host: str = "localhost", *, asks_clients: bool = False) -> ServerTls:
    made = authority.issue_cert(host)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.configure_cert(context)
    if asks_clients:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    chain = b"".join(each.bytes() for each in made.cert_chain_pems)
    client_ca = authority.cert_pem.bytes() if asks_clients else None
    return ServerTls(made.private_key_pem.bytes(), chain, client_ca, context)


def trusting(authority: trustme.CA, folder: Path) -> Path:
    path = folder / "ca.pem"
    path.write_bytes(authority.cert_pem.bytes())
    return path


def of_client(authority: trustme.CA, folder: Path) -> tuple[Path, Path]:
    made = authority.issue_cert("ignis@example.com")
    certificate, key = folder / "client.pem", folder / "client.key"
    certificate.write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    return certificate, key


def to(receiver: OtlpReceiver, wire: Wire, files: TlsFiles) -> Destination:
    return Destination("d", wire.routes(wire.url(receiver), tls=files))


async def test_a_private_authority_is_trusted_where_it_is_named(
    authority: trustme.CA, wire: Wire, world: World, tmp_path: Path
) -> None:
    pending = one_batch()
    async with otlp_receiver(tls=server_tls(authority)) as receiver:
        files = TlsFiles(ca=trusting(authority, tmp_path))
        (receipt,) = await shipped(to(receiver, wire, files), pending, world)

    assert receipt.delivered == 1
    assert world.reasons() == [""]


async def test_a_certificate_that_is_not_trusted_gets_nothing_until_it_is_mended(
    authority: trustme.CA, stranger: trustme.CA, wire: Wire, world: World, tmp_path: Path
) -> None:
    pending = one_batch()
    async with otlp_receiver(tls=server_tls(stranger)) as receiver:
        files = TlsFiles(ca=trusting(authority, tmp_path))
        async with delivering(to(receiver, wire, files), pending, world):
            await pending.until_failed("")
            await receiver.stop()
            assert receiver.got == []
            receiver.tls = server_tls(authority)
            await receiver.start()
            await pending.until_settled("d")

    assert world.reasons()[0] == "tls"
    assert world.reasons()[-1] == ""


async def test_a_certificate_of_another_host_gets_nothing(
    authority: trustme.CA, wire: Wire, world: World, tmp_path: Path
) -> None:
    pending = one_batch()
    async with otlp_receiver(tls=server_tls(authority, "elsewhere.example.com")) as receiver:
        files = TlsFiles(ca=trusting(authority, tmp_path))
        async with delivering(to(receiver, wire, files), pending, world):
            await pending.until_failed("")

    assert receiver.got == []
    assert set(world.reasons()) == {"tls"}


async def test_an_authority_that_is_named_anew_is_trusted_without_a_restart(
    authority: trustme.CA, stranger: trustme.CA, wire: Wire, world: World, tmp_path: Path
) -> None:
    pending = one_batch()
    async with otlp_receiver(tls=server_tls(authority)) as receiver:
        files = TlsFiles(ca=trusting(stranger, tmp_path))
        async with delivering(to(receiver, wire, files), pending, world):
            await pending.until_failed("")
            trusting(authority, tmp_path)
            await pending.until_settled("d")

    assert world.reasons() == ["tls", ""]


async def test_mutual_tls(authority: trustme.CA, wire: Wire, world: World, tmp_path: Path) -> None:
    pending = one_batch()
    async with otlp_receiver(tls=server_tls(authority, asks_clients=True)) as receiver:
        certificate, key = of_client(authority, tmp_path)
        files = TlsFiles(trusting(authority, tmp_path), certificate, key)
        (receipt,) = await shipped(to(receiver, wire, files), pending, world)

    assert receipt.delivered == 1


async def test_mutual_tls_without_a_certificate_of_ours_waits_for_one(
    authority: trustme.CA, wire: Wire, world: World, tmp_path: Path
) -> None:
    pending = one_batch()
    async with otlp_receiver(tls=server_tls(authority, asks_clients=True)) as receiver:
        files = TlsFiles(trusting(authority, tmp_path), tmp_path / "client.pem", tmp_path / "client.key")
        async with delivering(to(receiver, wire, files), pending, world):
            await pending.until_failed("client.pem")
            of_client(authority, tmp_path)
            await pending.until_settled("d")

    assert world.reasons() == ["tls", ""]


async def test_a_certificate_of_a_stranger_is_replaced_by_ours(
    authority: trustme.CA, stranger: trustme.CA, wire: Wire, world: World, tmp_path: Path
) -> None:
    pending = one_batch()
    async with otlp_receiver(tls=server_tls(authority, asks_clients=True)) as receiver:
        files = TlsFiles(trusting(authority, tmp_path), *of_client(stranger, tmp_path))
        async with delivering(to(receiver, wire, files), pending, world):
            await pending.until_failed("")
            assert receiver.got == []
            of_client(authority, tmp_path)
            await pending.until_settled("d")


@pytest.mark.parametrize("content", ["", "no certificate"])
async def test_an_authority_that_is_no_certificate_is_named(
    authority: trustme.CA, wire: Wire, world: World, tmp_path: Path, content: str
) -> None:
    pending = one_batch()
    ca = tmp_path / "ca.pem"
    ca.write_text(content)
    async with (
        otlp_receiver(tls=server_tls(authority)) as receiver,
        delivering(to(receiver, wire, TlsFiles(ca=ca)), pending, world),
    ):
        await pending.until_failed(f"cannot use the authorities in {ca}")

    assert receiver.got == []


async def test_a_key_of_another_certificate_is_named(
    authority: trustme.CA, wire: Wire, world: World, tmp_path: Path
) -> None:
    pending = one_batch()
    certificate, key = of_client(authority, tmp_path)
    key.write_bytes(authority.issue_cert("other.example.com").private_key_pem.bytes())
    async with otlp_receiver(tls=server_tls(authority, asks_clients=True)) as receiver:
        files = TlsFiles(trusting(authority, tmp_path), certificate, key)
        async with delivering(to(receiver, wire, files), pending, world):
            await pending.until_failed(f"cannot use the certificate in {certificate} with the key in {key}")


async def test_plain_text_to_a_receiver_that_speaks_tls_gets_nowhere(
    authority: trustme.CA, wire: Wire, world: World
) -> None:
    pending = one_batch()
    async with otlp_receiver(tls=server_tls(authority)) as receiver:
        url = wire.url(receiver).replace("https", "http")
        async with delivering(Destination("d", wire.routes(url)), pending, world):
            await pending.until_failed("")

    assert receiver.got == []
    assert pending.receipts["d"] == {}
