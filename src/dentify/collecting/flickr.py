"""Photos from Flickr under chosen licences, with a list of where each came from.

    for one in collect_flickr("car dent", "cars", count=200, licences="cc0,by", api_key=key):
        print(one.photo_id, one.file or one.reason)

A photo 123 becomes `cars/123.jpg`, its bytes as Flickr served them, and a row of `cars/photos.csv`, which `read_photos` reads.
A photo and its row are written whole, one after the other, so a killed run leaves a good list, and the next one goes on with it.

Everything that comes back is taken for hostile: a photo is fetched from Flickr's own hosts alone, over HTTPS, no further than the
limit on its bytes, and decoded before it counts; ids become file names only where they are digits.

Source: https://www.flickr.com/services/api/ (flickr.photos.search, flickr.photos.licenses.getInfo); the larger sizes among the
extras are not documented there, but Flickr's own pages ask for them.
"""

from __future__ import annotations

import csv
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeVar
from urllib.parse import quote

from dentify.datasets.photos import LIST_NAME
from dentify.errors import ConfigError, DatasetError, ImageError, MissingExtraError, OutputError, printable
from dentify.imaging.decode import decode_photo
from dentify.imaging.files import check_file_bytes
from dentify.imaging.formats import START_BYTES, Kind, picture_kind
from dentify.settings import Settings
from dentify.spreadsheets import csv_bytes, csv_line, safe_cell
from dentify.strict import nearest
from dentify.version import __version__
from dentify.writing import locked_folder, write_whole

try:
    import httpx2
except ImportError as error:
    raise MissingExtraError(what="Collecting from Flickr", extra="data") from error

ENDPOINT = "https://api.flickr.com/services/rest/"
KEY_PAGE = "https://www.flickr.com/services/apps/create/"

LICENCE_NAMES = ("by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd", "cc0", "pdm", "us-gov", "no-known-restrictions")
LICENCE_GROUPS = {
    "cc": LICENCE_NAMES[:8],
    "free": ("by", "by-sa", "cc0", "pdm"),
}

COLUMNS = (
    *("file", "source", "group", "photo_id", "owner", "owner_name", "title", "licence", "licence_url"),
    *("url", "source_url", "tags", "taken", "width", "height", "query"),
)

Size = Literal["largest", "original"]

_SIZES = ("o", "6k", "5k", "4k", "3k", "k", "h", "l", "c", "z", "m")  # largest first; "o" is the original
_EXTRAS = ",".join(("license", "owner_name", "tags", "date_taken", "media", *(f"url_{size}" for size in _SIZES)))
_HOST = re.compile(r"(?:[a-z0-9-]+\.)*(?:static)?flickr\.com")
_PLACEHOLDER = "photo_unavailable"  # within the address of the picture that Flickr shows in place of a vanished one

_PER_PAGE = 500  # the most that Flickr gives
_MOST_PAGES = 8  # Flickr finds 4,000 photos a search; later pages repeat earlier ones
_PASSES = 2  # photos that vanish while the pages are read move others to pages that were read before

_TIMEOUT_S = 30.0  # of connecting, and between two pieces of an answer
_WAITS_S = (2.0, 4.0, 8.0, 16.0)  # before each further try
_LONGEST_WAIT_S = 300.0  # that Flickr may ask for; beyond it a person should decide
_BUSY_CODES = ("0", "10", "105", "201")  # of the API: something is not available at the moment
_BAD_KEY_CODE = "100"
_MOST_REDIRECTS = 5
_MOST_ANSWER_BYTES = 16 * 2**20  # of the API; 500 photos are about 1 MB

_LONGEST_CELL = 10_000  # characters; Python's CSV reader takes 131,072

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
_LEFTOVER = re.compile(r"\.(?:[0-9]+\.[a-z]+|photos\.csv)\.part")

Answer = TypeVar("Answer")
Row = dict[str, str]


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


class Licence(NamedTuple):
    """A licence as Flickr lists it: `name` chooses it in all its versions, `label` is what people call it."""

    name: str
    label: str
    url: str


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
    query, out, settings = _unicode(query), Path(out), settings or Settings()
    chosen = parse_licences(licences)
    if not api_key.strip():
        raise ConfigError(f"collecting from Flickr needs a key of its API; {KEY_PAGE} gives one")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{printable(str(out))}: is a file; name a folder for the photos")
    with locked_folder(out):
        _remove_leftovers(out)
        columns, rows = _read_list(out)
        earlier = [row for row in rows if row["query"] == _cell(query) and _is_chosen(licence_at(row["licence_url"]), chosen)]
        for row in earlier:
            yield Collected(row["photo_id"], _picture(out, row), earlier=True)
        missing = count - len(earlier)
        if missing <= 0:
            return
        known = {row["photo_id"] for row in rows}
        found_any = bool(earlier)
        with _Flickr(
            _unicode(api_key.strip()), endpoint=endpoint, pause_s=pause_s, on_wait=on_wait, sleep=sleep, clock=clock
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
                write_whole({out / row["file"]: data, out / LIST_NAME: _list_bytes(columns, rows)})
                yield Collected(photo_id, out / row["file"])
                missing -= 1
                if not missing:
                    return
        if not found_any:
            raise DatasetError(
                f"Flickr finds no photo for {printable(query)!r} under these licences: {', '.join(sorted(chosen))}"
            )


def parse_licences(text: str) -> frozenset[str]:
    """Names of licences, from a comma list of them and of groups.

    `cc` is all that bears a mark of Creative Commons, `free` what of it may be changed and sold.

    Raises:
        ConfigError: a name is unknown, or there is none.

    >>> sorted(parse_licences("free, CC-BY-ND"))
    ['by', 'by-nd', 'by-sa', 'cc0', 'pdm']
    """
    chosen: set[str] = set()
    for word in text.split(","):
        name = word.strip().lower().removeprefix("cc-")
        if name in LICENCE_GROUPS:
            chosen.update(LICENCE_GROUPS[name])
        elif name in LICENCE_NAMES:
            chosen.add(name)
        else:
            known = (*LICENCE_GROUPS, *LICENCE_NAMES)
            advice = nearest(name, known, most=3) or f"; give some of {', '.join(known)}"
            raise ConfigError(f"{printable(word)!r} is no licence of Flickr's{advice}")
    return frozenset(chosen)


def licence_at(url: str) -> Licence | None:
    """The licence that an address stands for; `None` where it is none that can be chosen.

    Flickr numbers its licences, and gave new numbers to the versions 4.0 in 2025. What it says of a number is its address.

    >>> licence_at("https://creativecommons.org/licenses/by-nc-sa/4.0/").label
    'CC BY-NC-SA 4.0'
    >>> licence_at("https://www.flickrhelp.com/hc/en-us/articles/10710266545556") is None
    True
    """
    address = re.sub(r"^https?://(?:www\.)?", "", url)
    if match := re.match(r"creativecommons\.org/licenses/(by(?:-nc)?(?:-sa|-nd)?)/([0-9]\.[0-9])/", address):
        return Licence(match[1], f"CC {match[1].upper()} {match[2]}", url)
    for start, name, label in (
        ("creativecommons.org/publicdomain/zero/1.0/", "cc0", "CC0 1.0"),
        ("creativecommons.org/publicdomain/mark/1.0/", "pdm", "Public Domain Mark 1.0"),
        ("usa.gov/", "us-gov", "United States Government Work"),
        ("flickr.com/commons/usage", "no-known-restrictions", "No known copyright restrictions"),
    ):
        if address.startswith(start):
            return Licence(name, label, url)
    return None


def _is_chosen(licence: Licence | None, chosen: frozenset[str]) -> bool:
    return licence is not None and licence.name in chosen


class _BusyError(Exception):
    """Something failed that may well work later; it says what Flickr does, as in "answers HTTP 429".

    `everywhere`: other requests would fail as well. `retry_after_s`: how long Flickr asks to wait.
    """

    def __init__(self, text: str, *, everywhere: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(text if retry_after_s is None else f"{text} and asks to wait {retry_after_s:.0f} s")
        self.everywhere = everywhere
        self.retry_after_s = retry_after_s


class _Flickr:
    """The way to Flickr: one request at a time, none too soon after the one before, tried again where that may help."""

    def __init__(
        self,
        api_key: str,
        *,
        endpoint: str,
        pause_s: float,
        on_wait: Callable[[str], object],
        sleep: Callable[[float], object],
        clock: Callable[[], float],
    ) -> None:
        self._api_key = api_key
        address = _address(endpoint)
        if address is None:
            raise ConfigError(f"{printable(endpoint)!r} is no address of an API; the usual one is {ENDPOINT}")
        self._endpoint = address
        self._pause_s = pause_s
        self._on_wait = on_wait
        self._sleep = sleep
        self._clock = clock
        self._next_at = -math.inf  # of the clock
        agent = f"dentify/{__version__} (collects photos for data sets)"
        self._client = httpx2.Client(timeout=_TIMEOUT_S, headers={"User-Agent": agent})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def licences(self) -> dict[str, Licence]:
        """Flickr's licences by its numbers for them."""
        listed = _entries(self._call("photos.licenses.getInfo"), "licenses", "license")
        found = {facts.get("id", ""): licence_at(facts.get("url", "")) for facts in listed}
        return {number: licence for number, licence in found.items() if licence is not None}

    def search(self, query: str, *, licences: Sequence[str]) -> Iterator[dict[str, str]]:
        """What Flickr says of each photo that it finds, most fitting first, each photo once.

        Raises:
            DatasetError: Flickr refuses the search, or cannot be reached.
        """
        seen: set[str] = set()
        for _ in range(_PASSES):
            for page in range(1, _MOST_PAGES + 1):
                answer = self._call(
                    "photos.search",
                    text=query,
                    license=",".join(licences),
                    media="photos",
                    content_types="0",  # no screenshots, drawings and pictures out of games
                    safe_search="1",
                    sort="relevance",
                    extras=_EXTRAS,
                    per_page=str(_PER_PAGE),
                    page=str(page),
                )
                entries = _entries(answer, "photos", "photo")
                for facts in entries:
                    photo_id = facts.get("id", "")
                    if photo_id not in seen and re.fullmatch("[0-9]{1,20}", photo_id):
                        seen.add(photo_id)
                        yield facts
                if not entries or page >= _whole_number(answer["photos"].get("pages")):
                    break

    def photo(self, url: str, *, where: str, settings: Settings) -> bytes:
        """A picture's file.

        Raises:
            ImageError: this photo is gone, over the limit, or not Flickr's to give.
            DatasetError: Flickr gives no photo at the moment.
        """
        for _ in range(_MOST_REDIRECTS):
            address = self._checked(url, where=where)
            try:
                answer, data = self._patiently(partial(self._ask, "GET", address, most_bytes=settings.max_file_bytes))
            except _BusyError as busy:
                if busy.everywhere:
                    raise _gave_up(busy) from busy
                # A fault of this one photo must not end all runs at the same place.
                raise ImageError(f"{where}: Flickr {busy}, time and again") from busy
            if answer.status_code == 200:
                check_file_bytes(len(data), where=where, settings=settings)
                return data
            if not answer.has_redirect_location:
                raise ImageError(f"{where}: is not to be had (HTTP {answer.status_code})")
            with suppress(httpx2.InvalidURL, ValueError):
                url = str(answer.url.join(answer.headers["Location"]))
            if _PLACEHOLDER in url:
                raise ImageError(f"{where}: is gone; Flickr shows its placeholder")
        raise ImageError(f"{where}: its address leads on and on")

    def _checked(self, url: str, *, where: str) -> httpx2.URL:
        """A photo's address, where it leads to Flickr and nowhere else: not to a file, nor into the network of this machine."""
        address = _address(url)
        if address is not None:
            is_flickrs = address.scheme == "https" and address.port is None and _HOST.fullmatch(address.host)
            if is_flickrs or (address.scheme, address.netloc) == (self._endpoint.scheme, self._endpoint.netloc):
                return address
        raise ImageError(f"{where}: its address is not on Flickr's hosts: {printable(url[:200])}")

    def _call(self, method: str, **arguments: str) -> dict[str, Any]:
        """The answer of one of the API's methods.

        Raises:
            DatasetError: Flickr refuses, or cannot be reached.
        """
        try:
            return self._patiently(partial(self._call_once, method, arguments))
        except _BusyError as busy:
            raise _gave_up(busy) from busy

    def _call_once(self, method: str, arguments: dict[str, str]) -> dict[str, Any]:
        # Posted, since addresses stand in logs of programs on the way, and the key must not.
        form = {"method": f"flickr.{method}", "api_key": self._api_key, "format": "json", "nojsoncallback": "1", **arguments}
        answer, data = self._ask("POST", self._endpoint, most_bytes=_MOST_ANSWER_BYTES, form=form)
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise _BusyError(f"answers HTTP {answer.status_code} without the JSON of its API")
        if document.get("stat") == "ok":
            return document
        code, told = str(document.get("code")), self._told(document.get("message", ""))
        if code == _BAD_KEY_CODE:
            raise DatasetError(f"Flickr does not take the key in FLICKR_API_KEY ({told}); {KEY_PAGE} gives one")
        if code in _BUSY_CODES:
            raise _BusyError(f"says {told!r} (code {code})")
        raise DatasetError(f"Flickr refuses {method}: {told} (code {self._told(code)})")

    def _ask(
        self, method: str, address: httpx2.URL, *, most_bytes: int, form: dict[str, str] | None = None
    ) -> tuple[httpx2.Response, bytes]:
        """One request: the answer, and its body up to the first bytes beyond `most_bytes`. Redirects are not followed."""
        try:
            with self._client.stream(method, address, data=form) as answer:
                status = answer.status_code
                if status == 429 or status >= 500:
                    retry_after_s = _seconds(answer.headers.get("Retry-After"))
                    raise _BusyError(f"answers HTTP {status}", everywhere=status == 429, retry_after_s=retry_after_s)
                data = bytearray()
                for piece in answer.iter_bytes():
                    data += piece
                    if len(data) > most_bytes:
                        break
                return answer, bytes(data)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            raise _BusyError(f"cannot be reached ({self._told(error)})", everywhere=True) from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:  # the latter of redirects, which some versions read
            raise _BusyError(f"breaks off its answer ({self._told(error)})") from error

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Asks at a polite pace, and again after a while where Flickr was busy.

        Raises:
            _BusyError: the last try failed as well, or Flickr asks for too long a wait.
        """
        waits_s = iter(_WAITS_S)
        while True:
            if (left_s := self._next_at - self._clock()) > 0:
                self._sleep(left_s)
            self._next_at = self._clock() + self._pause_s
            try:
                return ask()
            except _BusyError as busy:
                wait_s = next(waits_s, None)
                if wait_s is None or (busy.retry_after_s or 0) > _LONGEST_WAIT_S:
                    raise
                if busy.retry_after_s is not None:
                    wait_s = busy.retry_after_s
                self._on_wait(f"Flickr {busy}; next try in {wait_s:.0f} s")
                self._sleep(wait_s)

    def _told(self, said: object) -> str:
        """What others said, fit for a line, without the key if they repeat it."""
        line = " ".join(str(said).replace(self._api_key, "…").split())
        return printable(line[:200]) or "no reason told"


def _gave_up(busy: _BusyError) -> DatasetError:
    return DatasetError(f"Flickr {busy}; what was fetched is kept, and the same command goes on with it later")


def _fetch(
    flickr: _Flickr, facts: dict[str, str], *, allowed: dict[str, Licence], size: Size, query: str, settings: Settings
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
    sizes = _SIZES if size == "largest" else _SIZES[:1]
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
    return {column: _cell(value) for column, value in row.items()}, data


def _cell(text: str) -> str:
    r"""A cell of the list: one line, which no spreadsheet takes for a formula.

    >>> _cell("Dent\n in  door"), _cell("=HYPERLINK(1)")
    ('Dent in door', "'=HYPERLINK(1)")
    """
    return safe_cell(re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text).strip()[:_LONGEST_CELL])


def _read_list(out: Path) -> tuple[list[str], list[Row]]:
    """Columns and rows of the list in a folder, without rows whose photo is gone. Columns that a user added are kept.

    Raises:
        DatasetError: it is no list of this module's.
    """
    path = out / LIST_NAME
    where = printable(str(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns, rows = list(reader.fieldnames or ()), list(reader)
    except FileNotFoundError:
        return list(COLUMNS), []
    except OSError as error:
        raise DatasetError(f"{where}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{where}: broken CSV ({error}); mend it, or collect into another folder") from error
    absent = [column for column in COLUMNS if column not in columns]
    if absent or any(None in row or None in row.values() for row in rows):
        fault = f"no column {absent[0]}" if absent else "rows of another length than its first line"
        raise DatasetError(f"{where}: is not the list of an earlier run ({fault}); collect into another folder")
    return columns, [row for row in rows if _picture(out, row) is not None]


def _picture(out: Path, row: Row) -> Path | None:
    """Where the photo of a row is: beside the list or in `images/`, as for `read_photos`; `None` where it is gone."""
    return next((path for path in (out / row["file"], out / "images" / row["file"]) if path.is_file()), None)


def _list_bytes(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    return csv_bytes([csv_line(columns), *(csv_line(row.get(column, "") for column in columns) for row in rows)])


def _remove_leftovers(out: Path) -> None:
    """Takes away what a killed run left half-written."""
    for path in out.glob(".*.part"):
        if _LEFTOVER.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()


def _address(url: str) -> httpx2.URL | None:
    """A whole address on the web; `None` where it is anything else."""
    try:
        address = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        return None
    return address if address.is_absolute_url and address.scheme in ("http", "https") else None


def _entries(answer: dict[str, Any], outer: str, inner: str) -> list[dict[str, str]]:
    """The entries of the list in the API's answer; numbers come as numbers or text, as it likes.

    Raises:
        DatasetError: there is no such list.
    """
    listed = answer.get(outer)
    entries = listed.get(inner) if isinstance(listed, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DatasetError(f"Flickr's answer holds no list {inner!r}; its API may have changed: please report it")
    return [{key: _unicode(str(value)) for key, value in entry.items() if isinstance(value, str | int)} for entry in entries]


def _unicode(text: str) -> str:
    """Text that can be encoded: JSON and command lines may hold halves of characters."""
    return text.encode(errors="replace").decode()


def _whole_number(value: object) -> int:
    """Of what the API gives as a number or text; 0 where it is neither."""
    return int(value) if isinstance(value, str | int) and re.fullmatch("[0-9]{1,9}", str(value)) else 0


def _seconds(retry_after: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a moment. Source: RFC 9110, 10.2.3."""
    if retry_after is None:
        return None
    if re.fullmatch("[0-9]{1,9}", retry_after):
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
