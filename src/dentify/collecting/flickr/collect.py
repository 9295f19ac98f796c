"""Photos that Flickr finds, one after the other, into a folder with their list."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from dentify.collecting.flickr.client import ENDPOINT, KEY_PAGE, SIZES, Flickr, unicode_text
from dentify.collecting.flickr.licences import Licence, is_chosen, licence_at, parse_licences
from dentify.collecting.flickr.photo_list import Row, cell_of, list_bytes, picture_of, read_list, remove_leftovers
from dentify.datasets.photos import LIST_NAME
from dentify.errors import ConfigError, DatasetError, ImageError, OutputError, printable
from dentify.imaging.decode import decode_photo
from dentify.imaging.formats import START_BYTES, Kind, picture_kind
from dentify.settings import Settings
from dentify.writing import locked_folder, write_whole

Size = Literal["largest", "original"]

_SUFFIXES: dict[Kind, str] = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WebP": ".webp",
    "GIF": ".gif",
    "HEIC": ".heic",
    "AVIF": ".avif",
    "TIFF": ".tif",
    "BMP": ".bmp",
}


@dataclass(frozen=True)
class Collected:
    """One photo that was considered.

    Attributes:
        photo_id: Flickr's.
        file: where it is; `None` where it was passed over.
        reason: why it was passed over, one line.
        earlier: an earlier run fetched it.
    """

    photo_id: str
    file: Path | None
    reason: str | None = None
    earlier: bool = False


def collect_flickr(
    query: str,
    out: Path | str,
    *,
    count: int,
    api_key: str,
    licences: str = "cc",
    size: Size = "largest",
    pause_s: float = 1.0,
    endpoint: str = ENDPOINT,
    settings: Settings | None = None,
    on_wait: Callable[[str], object] = lambda line: None,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Collected]:
    """Fetches photos that Flickr finds for a query, until `out` holds `count` of them or the search has no more.

    Photos of the same query and licences that `out` holds already count and come first; photos of other queries stay, and are
    not fetched again. Videos, photos that vanished and files that Dentify cannot read are passed over, and others taken instead.

    Args:
        query: searched for in titles, descriptions and tags.
        out: folder of photos and their list; made where it is missing.
        count: of photos to have at the end.
        api_key: of Flickr's API. It is sent to `endpoint` and shown nowhere.
        licences: names of licences or groups of them, as `parse_licences` takes them; no other photo is fetched.
        size: `largest`: the original where its owner gives it, else the largest size; `original`: nothing but originals.
        pause_s: least seconds from one request to the next. Flickr allows 3,600 requests an hour for a key.
        endpoint: the API's address; photos may lie on its host, too.
        settings: the limits; `Settings()` when left out.
        on_wait: is told in a line why and how long a request that failed waits for its next try.
        sleep: waits so many seconds.
        clock: tells seconds, which the least time between requests is counted by.

    Raises:
        ConfigError: the key is missing, or a licence has no such name.
        DatasetError: Flickr refuses the key or the search, cannot be reached, is busy for long or finds nothing; or the list in
            `out` is no list of this function's.
        OutputError: `out` is a file, or cannot be written.
    """
    query, out, settings = unicode_text(query), Path(out), settings or Settings()
    chosen = parse_licences(licences)
    if not api_key.strip():
        raise ConfigError(f"collecting from Flickr needs a key of its API; {KEY_PAGE} gives one")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{printable(str(out))}: is a file; name a folder for the photos")
    with locked_folder(out):
        remove_leftovers(out)
        columns, rows = read_list(out)
        earlier = [row for row in rows if row["query"] == cell_of(query) and is_chosen(licence_at(row["licence_url"]), chosen)]
        for row in earlier:
            yield Collected(row["photo_id"], picture_of(out, row), earlier=True)
        missing = count - len(earlier)
        if missing <= 0:
            return
        known = {row["photo_id"] for row in rows}
        found_any = bool(earlier)
        with Flickr(
            unicode_text(api_key.strip()), endpoint=endpoint, pause_s=pause_s, on_wait=on_wait, sleep=sleep, clock=clock
        ) as flickr:
            allowed = {number: licence for number, licence in flickr.licences().items() if licence.name in chosen}
            if not allowed:
                raise DatasetError(f"Flickr lists none of these licences: {', '.join(sorted(chosen))}")
            for facts in flickr.search(query, licences=list(allowed)):
                found_any = True
                photo_id = facts["id"]
                if photo_id in known:
                    continue
                try:
                    row, data = _fetch(flickr, facts, allowed=allowed, size=size, query=query, settings=settings)
                except ImageError as error:
                    yield Collected(photo_id, None, reason=str(error))
                    continue
                rows.append(row)
                write_whole({out / row["file"]: data, out / LIST_NAME: list_bytes(columns, rows)})
                yield Collected(photo_id, out / row["file"])
                missing -= 1
                if not missing:
                    return
        if not found_any:
            raise DatasetError(
                f"Flickr finds no photo for {printable(query)!r} under these licences: {', '.join(sorted(chosen))}"
            )


def _fetch(
    flickr: Flickr, facts: dict[str, str], *, allowed: dict[str, Licence], size: Size, query: str, settings: Settings
) -> tuple[Row, bytes]:
    """One photo: its row of the list, and its file.

    Raises:
        ImageError: it is passed over.
        DatasetError: Flickr gives no photo at the moment.
    """
    photo_id, owner = facts["id"], facts.get("owner", "")
    page = f"https://www.flickr.com/photos/{quote(owner, safe='@')}/{photo_id}/"
    licence = allowed.get(facts.get("license", ""))
    if licence is None:
        raise ImageError(f"{page}: its licence was not chosen")
    if facts.get("media", "photo") != "photo":
        raise ImageError(f"{page}: is a video")
    sizes = SIZES if size == "largest" else SIZES[:1]
    source_url = next(filter(None, (facts.get(f"url_{one}") for one in sizes)), None)
    if source_url is None:
        raise ImageError(f"{page}: {'no size' if size == 'largest' else 'no original'} of it is offered")
    data = flickr.photo(source_url, where=page, settings=settings)
    height, width = decode_photo(data, where=page, settings=settings, enough_side=1).photo_hw
    kind = picture_kind(data[:START_BYTES])
    assert kind is not None, "it was decoded"
    row = {
        "file": photo_id + _SUFFIXES[kind],
        "source": "flickr",
        "group": owner,  # photos of one owner are often of one car
        "photo_id": photo_id,
        "owner": owner,
        "owner_name": facts.get("ownername", ""),
        "title": facts.get("title", ""),
        "licence": licence.label,
        "licence_url": licence.url,
        "url": page,
        "source_url": source_url,
        "tags": facts.get("tags", ""),
        "taken": "" if facts.get("datetakenunknown") == "1" else facts.get("datetaken", ""),  # unknown: it is the upload's
        "width": str(width),
        "height": str(height),
        "query": query,
    }
    return {column: cell_of(value) for column, value in row.items()}, data
