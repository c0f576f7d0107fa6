"""Exit 0 if the web process in this container answers, under a host name that it accepts."""

import http.client
import os
import sys

host = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].lstrip(".") or "127.0.0.1"
connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=4)
connection.request("GET", "/api/health", headers={"Host": host})
sys.exit(connection.getresponse().status != http.client.OK)
