"""Exits with 0 if ElastAlert has run a rule within the last two minutes; it records each run in its status index."""

import base64
import json
import os
import sys
import urllib.request

get = os.environ.__getitem__
login = base64.b64encode(f"{get('ES_USERNAME')}:{get('ES_PASSWORD')}".encode()).decode()
search = "elastalert_status_status/_count?q=%40timestamp%3A%5Bnow-2m%20TO%20now%5D"
request = urllib.request.Request(
    f"http://{get('ES_HOST')}:{get('ES_PORT')}/{search}", headers={"Authorization": f"Basic {login}"}
)
with urllib.request.urlopen(request, timeout=5) as response:
    sys.exit(json.load(response)["count"] == 0)
