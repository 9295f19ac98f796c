"""The way to Flickr: its API and its pictures, at a polite pace, and nowhere else.

Everything that comes back is taken for hostile: a photo is fetched from Flickr's own hosts alone, over HTTPS, no further than the
limit on its bytes.

Source: https://www.flickr.com/services/api/ (flickr.photos.search, flickr.photos.licenses.getInfo); the larger sizes among the
extras are not documented there, but Flickr's own pages ask for them.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from dentify.collecting.flickr.licences import Licence, licence_at
from dentify.errors import ConfigError, DatasetError, ImageError, MissingExtraError, printable
from dentify.imaging.files import check_file_bytes
from dentify.settings import Settings
from dentify.version import __version__

try:
    import httpx2
except ImportError as error:
    raise MissingExtraError(what="Collecting from Flickr", extra="data") from error

ENDPOINT = "https://api.flickr.com/services/rest/"
KEY_PAGE = "https://www.flickr.com/services/apps/create/"

SIZES = ("o", "6k", "5k", "4k", "3k", "k", "h", "l", "c", "z", "m")
"""Of a photo, largest first; "o" is the original."""

_EXTRAS = ",".join(("license", "owner_name", "tags", "date_taken", "media", *(f"url_{size}" for size in SIZES)))
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

Answer = TypeVar("Answer")


class _BusyError(Exception):
    """Something failed that may well work later; it says what Flickr does, as in "answers HTTP 429".

    `everywhere`: other requests would fail as well. `retry_after_s`: how long Flickr asks to wait.
    """

    def __init__(self, text: str, *, everywhere: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(text if retry_after_s is None else f"{text} and asks to wait {retry_after_s:.0f} s")
        self.everywhere = everywhere
        self.retry_after_s = retry_after_s


class Flickr:
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
                    everywhere = status == 429 or retry_after_s is not None
                    raise _BusyError(f"answers HTTP {status}", everywhere=everywhere, retry_after_s=retry_after_s)
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
    return [{key: unicode_text(str(value)) for key, value in entry.items() if isinstance(value, str | int)} for entry in entries]


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


def unicode_text(text: str) -> str:
    """Text that can be encoded: JSON and command lines may hold halves of characters."""
    return text.encode(errors="replace").decode()
