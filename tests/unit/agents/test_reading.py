"""Pages of the catalog, as they are put on the wire."""

from pathlib import Path

from ignis.agents.v1 import agent_loader_pb2 as pb
from ignis_server.agents.wire import reading
from support.catalogs import catalog_of


def test_a_page_ends_before_it_is_larger_than_clients_accept(tmp_path: Path) -> None:
    agent = f"---\nname: tailor\ndescription: {'é' * 8_000}\n---\nMend.\n"
    catalog = catalog_of(tmp_path, {f"a{number:03}.md": agent for number in range(300)})
    ids: list[str] = []
    token = ""
    sizes = []
    while True:
        request = pb.ListAgentsRequest(page_size=1_000, page_token=token)
        page = reading.from_agent_page(reading.to_agent_page(request), catalog)
        sizes.append(page.ByteSize())
        ids += [summary.id for summary in page.agents]
        token = page.next_page_token
        if not token:
            break

    assert ids == [each.agent_id for each in catalog.agents]
    assert max(sizes) < 4 << 20
    assert len(sizes) == 3
