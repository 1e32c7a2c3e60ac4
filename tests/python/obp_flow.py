"""One OBP flow with the standard library only: DirectLogin mint, account access grant, use and
revoke (v4.0.0 and v5.1.0 paths), DAuth. Prints one JSON line.

Environment:
  EGRET_OBP_URL              base URL, may have a path prefix (required)
  EGRET_PROXY_AUTHORIZATION  sent as Proxy-Authorization on every call (optional)

http.client sends header names as given, which matters: old OBP servers look up `DAuth` with
exact case.
"""

import base64
import http.client
import json
import os
import sys
import urllib.parse

KEY = "simconsumerkey00000000000000000000000000"
AUDITOR = "5d1d0000-0000-4000-8000-000000000002"
BASE = urllib.parse.urlsplit(os.environ["EGRET_OBP_URL"].rstrip("/"))

steps = []


def call(method, path, headers=None, body=None):
    connection = http.client.HTTPConnection(BASE.hostname, BASE.port, timeout=30)
    sent = dict(headers or {})
    if "EGRET_PROXY_AUTHORIZATION" in os.environ:
        sent["Proxy-Authorization"] = os.environ["EGRET_PROXY_AUTHORIZATION"]
    data = None
    if body is not None:
        data = json.dumps(body)
        sent["Content-Type"] = "application/json"
    connection.request(method, BASE.path + path, body=data, headers=sent)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, json.loads(text) if text else None


def step(name, got, status, code=None):
    found, body = got
    if found != status:
        raise AssertionError(f"{name}: status {found}, not {status}: {body}")
    if code and not body["message"].startswith(code):
        raise AssertionError(f"{name}: {body['message']}, not {code}")
    steps.append(name)
    return body


def mint(name, user, password):
    login = f'username="{user}", password="{password}", consumer_key="{KEY}"'
    got = call("POST", "/my/logins/direct", {"DirectLogin": login, "Content-Length": "0"})
    return step(name, got, 201)["token"]


def dauth_token():
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {
        "smart_contract_address": "0xcf5ed3cf3a5e9f4c6a1b2d3e4f5061728394a5b6",
        "network_name": "SIMNET",
        "msg_sender": "0x0000000000000000000000000000000000000001",
        "consumer_key": KEY,
        "timestamp": "2026-11-21T21:15:38Z",
        "request_id": "r-1",
    }
    return ".".join([part({"alg": "RS256", "typ": "JWT"}), part(claims), "c2lnbmF0dXJl"])


def main():
    holder = {"DirectLogin": "token=" + mint("mint_holder", "sim-user", "sim-password-1")}
    token = mint("mint_auditor", "sim-auditor", "sim-password-2")
    auditor = {"Authorization": f'DirectLogin token="{token}"'}
    step("current_user", call("GET", "/obp/v4.0.0/users/current", holder), 200)
    step("current_user_old_form", call("GET", "/obp/v4.0.0/users/current", auditor), 200)

    account = "/banks/sim.bank/accounts/acc-1"
    read = f"/obp/v4.0.0{account}/auditor/transactions?limit=2"
    grant = {"user_id": AUDITOR, "view": {"view_id": "auditor", "is_system": True}}
    step("read_refused", call("GET", read, auditor), 403, "OBP-20017")
    path = f"/obp/v4.0.0{account}/account-access/grant"
    step("grant_refused", call("POST", path, auditor, grant), 400, "OBP-20047")
    step("grant", call("POST", path, holder, grant), 201)
    step("read", call("GET", read, auditor), 200)
    path = f"/obp/v4.0.0{account}/account-access/revoke"
    step("revoke", call("POST", path, holder, grant), 201)
    step("read_refused_again", call("GET", read, auditor), 403, "OBP-20017")

    scoped = {"user_id": AUDITOR, "view_id": "auditor"}
    path = f"/obp/v5.1.0{account}/views/owner/account-access"
    step("grant_by_view", call("POST", path + "/grant", holder, scoped), 201)
    step("revoke_by_view", call("POST", path + "/revoke", holder, scoped), 201)

    user = {
        "username": "0xfeed",
        "provider": "dauth.SIMNET",
        "views": [{"view_id": "auditor", "is_system": True}],
    }
    path = f"/obp/v4.0.0{account}/user-account-access"
    step("create_user_with_access", call("POST", path, holder, user), 201)
    views = {"views": [{"view_id": "owner", "is_system": True}]}
    path = f"/obp/v4.0.0{account}/account-access"
    step("revoke_and_grant", call("PUT", path, holder, views), 201)

    known = step("dauth", call("GET", "/obp/v4.0.0/users/current", {"DAuth": dauth_token()}), 200)
    if known["provider"] != "dauth.SIMNET":
        raise AssertionError(f"dauth: provider {known['provider']}")
    bad = {"DirectLogin": "token=not-a-token"}
    step("bad_token", call("GET", "/obp/v4.0.0/users/current", bad), 401, "OBP-20003")
    step("anonymous", call("GET", "/obp/v4.0.0/users/current"), 401, "OBP-20001")
    print(json.dumps({"ok": True, "client": "obp", "steps": steps}))


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # one line, whatever went wrong
        print(json.dumps({"ok": False, "client": "obp", "steps": steps, "error": repr(error)}))
        sys.exit(1)
