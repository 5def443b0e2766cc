"""A browser that consents to everything: it follows redirects, as browser.mjs does."""

import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

BACK = "http://127.0.0.1:9/callback"


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def follow(url):
    """Follows redirects with cookies until one leads back to the client: its query."""
    opener = urllib.request.build_opener(Stay, urllib.request.HTTPCookieProcessor(CookieJar()))
    for _ in range(20):
        try:
            answer = opener.open(url, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        location = answer.headers.get("location")
        if location is None:
            raise RuntimeError(f"{answer.status} at {url}: {answer.read().decode()}")
        url = urllib.parse.urljoin(url, location)
        if url.startswith(BACK):
            return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    raise RuntimeError("too many redirects")
