"""A small Flickr: its REST API and its picture host on one port of the loopback, with the faults of the real one on demand.

Answers are shaped like recorded ones: numbers now and then as text, `stat: fail` with HTTP 200, sizes as `url_o`, `url_k` and so
on, pages past the end that repeat the last one, a redirect to a placeholder where a photo is gone.
"""

from __future__ import annotations

import io
import json
import sys
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl

from PIL import Image

KEY = "0123456789abcdef0123456789abcdef"

_CC = "https://creativecommons.org"
LICENCES = [
    (0, "All Rights Reserved", "https://www.flickrhelp.com/hc/en-us/articles/10710266545556-Using-Flickr-images"),
    (4, "CC BY 2.0", f"{_CC}/licenses/by/2.0/"),
    (6, "CC BY-ND 2.0", f"{_CC}/licenses/by-nd/2.0/"),
    (5, "CC BY-SA 2.0", f"{_CC}/licenses/by-sa/2.0/"),
    (1, "CC BY-NC-SA 2.0", f"{_CC}/licenses/by-nc-sa/2.0/"),
    (7, "No known copyright restrictions", "https://www.flickr.com/commons/usage/"),
    (8, "United States Government Work", "http://www.usa.gov/copyright.shtml"),
    (9, "Public Domain Dedication (CC0)", f"{_CC}/publicdomain/zero/1.0/"),
    (10, "Public Domain Mark", f"{_CC}/publicdomain/mark/1.0/"),
    (11, "CC BY 4.0", f"{_CC}/licenses/by/4.0/"),
    (16, "CC BY-NC-ND 4.0", f"{_CC}/licenses/by-nc-nd/4.0/"),
]


class Answer(NamedTuple):
    """An HTTP answer. `cut`: the connection ends before the body does."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    cut: bool = False


def failure(code: int, message: str) -> Answer:
    """What the API says when it refuses."""
    return Answer(200, json.dumps({"stat": "fail", "code": code, "message": message}).encode())


def picture(shade: int = 0, *, kind: str = "JPEG", size_wh: tuple[int, int] = (48, 32)) -> bytes:
    """A small picture's file."""
    data = io.BytesIO()
    Image.new("RGB", size_wh, (shade % 256, 90, 160)).save(data, kind)
    return data.getvalue()


class FlickrServer:
    """The server; `with FlickrServer() as flickr:` starts it.

    Attributes:
        photos: what a search finds, in order, as entries of its answer; free to change, even while it is read.
        pictures: answers of the picture host by path.
        api_faults: given first, one a call, in place of the API's answers.
        per_page: the most photos of a page.
        before_search: is called with the number of each page that is asked for.
        before_picture: is called with the path of each picture that is asked for.
        calls: forms of the API calls that came, without the key.
        fetched: paths that the picture host was asked for.
        delivered: those of them whose answers were taken to their end.
    """

    def __init__(self) -> None:
        self.photos: list[dict[str, Any]] = []
        self.pictures: dict[str, Answer | deque[Answer]] = {}
        self.api_faults: deque[Answer] = deque()
        self.per_page = 500
        self.before_search: Callable[[int], object] = lambda page: None
        self.before_picture: Callable[[str], object] = lambda path: None
        self.calls: list[dict[str, str]] = []
        self.fetched: list[str] = []
        self.delivered: list[str] = []
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"flickr": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def endpoint(self) -> str:
        return f"{self.address}/services/rest/"

    def add(self, photo_id: str, *, sizes: tuple[str, ...] = ("k", "o"), data: bytes | None = None, **facts: object) -> None:
        """A photo with a picture of each size; `data` is its largest one's file, `facts` override what the search tells of it."""
        entry: dict[str, Any] = {
            "id": photo_id,
            "owner": "24@N01",
            "secret": "ab12",
            "server": "65535",
            "farm": 66,
            "title": f"Photo {photo_id}",
            "ispublic": 1,
            "license": "4",
            "ownername": "Ada",
            "tags": "car dent",
            "datetaken": "2024-06-01 21:14:05",
            "datetakengranularity": 0,
            "datetakenunknown": "0",
            "media": "photo",
        }
        for size in sizes:
            path = f"/65535/{photo_id}_ab12_{size}.jpg"
            self.pictures[path] = Answer(body=data or picture(int(photo_id) if photo_id.isdigit() else 0))
            entry |= {f"url_{size}": self.address + path, f"width_{size}": 48, f"height_{size}": "32"}
        self.photos.append(entry | facts)

    def give(self, photo_id: str, *answers: Answer, size: str = "o") -> None:
        """Lets the picture host answer so, one answer after the other, the last of them for good."""
        self.pictures[f"/65535/{photo_id}_ab12_{size}.jpg"] = deque(answers)

    def call(self, form: dict[str, str]) -> Answer:
        """The API."""
        key = form.pop("api_key", "")
        self.calls.append(form)
        if self.api_faults:
            return self.api_faults.popleft()
        if key != KEY:
            return failure(100, "Invalid API Key (Key has invalid format)")
        if (form.get("format"), form.get("nojsoncallback")) != ("json", "1"):
            return Answer(body=b"jsonFlickrApi({})")
        match form.get("method"):
            case "flickr.photos.licenses.getInfo":
                listed = [{"id": number, "name": name, "url": url} for number, name, url in LICENCES]
                return _ok({"licenses": {"license": listed}})
            case "flickr.photos.search":
                return self._search(form)
            case method:
                return failure(112, f'Method "{method}" not found')

    def _search(self, form: dict[str, str]) -> Answer:
        page, licences = int(form.get("page", "1")), form["license"].split(",")
        self.before_search(page)
        found = [entry for entry in self.photos if entry["license"] in licences or "stray" in entry]
        per_page = min(int(form["per_page"]), self.per_page)
        pages = -(-len(found) // per_page)
        start = (min(page, pages or 1) - 1) * per_page
        shown = {"page": page, "pages": pages, "perpage": per_page, "total": str(len(found))}
        return _ok({"photos": {**shown, "photo": found[start : start + per_page]}})

    def picture_at(self, path: str) -> Answer:
        """The picture host."""
        self.fetched.append(path)
        self.before_picture(path)
        answer = self.pictures.get(path, Answer(404))
        if isinstance(answer, deque):
            return answer.popleft() if len(answer) > 1 else answer[0]
        return answer


def _ok(document: dict[str, Any]) -> Answer:
    return Answer(body=json.dumps({**document, "stat": "ok"}).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # that is a client that went away
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    flickr: FlickrServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # header and body in one piece: two cost 40 ms, by Nagle's algorithm and delayed acknowledgements

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self._answer(self.flickr.call(form) if self.path == "/services/rest/" else Answer(404))

    def do_GET(self) -> None:
        self._answer(self.flickr.picture_at(self.path))
        self.flickr.delivered.append(self.path)

    def _answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) + answer.cut))
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = self.close_connection or answer.cut

    def log_message(self, *arguments: object) -> None:
        """Nothing."""
