"""Starts ElastAlert with these arguments once a record of a service can be found: silence counts from then on.

While a system starts, no record arrives for minutes, and that is no alarm. If there is none after ten minutes, ElastAlert
starts all the same, because then the silence is what has to be reported.
"""

import base64
import json
import os
import sys
import time
import urllib.request

get = os.environ.__getitem__
deadline = time.monotonic() + 600
login = base64.b64encode(f"{get('ES_USERNAME')}:{get('ES_PASSWORD')}".encode()).decode()
search = "alexandrite-*/_count?q=event.action%3Aservice.heartbeat%20AND%20%40timestamp%3A%5Bnow-2m%20TO%20now%5D"
request = urllib.request.Request(
    f"http://{get('ES_HOST')}:{get('ES_PORT')}/{search}", headers={"Authorization": f"Basic {login}"}
)


def is_there():
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.load(response)["count"] > 0
    except OSError:
        return False


print("Waiting for the first record", file=sys.stderr, flush=True)
while not is_there() and time.monotonic() < deadline:
    time.sleep(2)
os.execv(sys.executable, [sys.executable, "-m", "elastalert.elastalert", *sys.argv[1:]])
