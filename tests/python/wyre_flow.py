"""One Wyre flow with the standard library only: session mint (query and body form), account with
a bearer session, signed GET and POST, confirm. Prints one JSON line.

Environment:
  EGRET_WYRE_URL             base URL, may have a path prefix (required)
  EGRET_WYRE_SIGNED_URL      base URL that is signed, if the gateway hides it (default: the same)
  EGRET_PROXY_AUTHORIZATION  sent as Proxy-Authorization on every call (optional)
"""

import hashlib
import hmac
import http.client
import json
import os
import sys
import time
import urllib.parse

URL = os.environ["EGRET_WYRE_URL"].rstrip("/")
SIGNED = os.environ.get("EGRET_WYRE_SIGNED_URL", URL).rstrip("/")
BASE = urllib.parse.urlsplit(URL)
KEY = "AK-SIM-MASTER-0001"
SECRET = "SK-SIM-MASTER-SECRET-00000001"

steps = []


def call(method, path, headers=None, body=""):
    connection = http.client.HTTPConnection(BASE.hostname, BASE.port, timeout=30)
    sent = {"X-Api-Version": "2", **(headers or {})}
    if body:
        sent["Content-Type"] = "application/json"
    if "EGRET_PROXY_AUTHORIZATION" in os.environ:
        sent["Proxy-Authorization"] = os.environ["EGRET_PROXY_AUTHORIZATION"]
    connection.request(method, BASE.path + path, body=body or None, headers=sent)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, json.loads(text) if text else None


def signed(method, path, body="", key=KEY, secret=SECRET):
    path += ("&" if "?" in path else "?") + f"timestamp={int(time.time() * 1000)}"
    message = (SIGNED + path + body).encode()
    signature = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return call(method, path, {"X-Api-Key": key, "X-Api-Signature": signature}, body)


def step(name, got, status, code=None):
    found, body = got
    if found != status:
        raise AssertionError(f"{name}: status {found}, not {status}: {body}")
    if code and body["errorCode"] != code:
        raise AssertionError(f"{name}: {body['errorCode']}, not {code}")
    steps.append(name)
    return body


def main():
    # A new secret each time, since a session is bound to one account for good.
    secret = f"pyflow{time.time_ns():020d}"[:30]
    minted = step("mint_query", call("POST", f"/v2/sessions/auth/key?secretKey={secret}"), 200)
    body = json.dumps({"secretKey": secret})
    again = step("mint_body", call("POST", "/v2/sessions/auth/key", body=body), 200)
    if minted["apiKey"] != again["apiKey"]:
        raise AssertionError("the two forms of the mint differ")
    bearer = {"Authorization": f"Bearer {secret}"}
    profile = json.dumps(
        {
            "type": "INDIVIDUAL",
            "country": "US",
            "profileFields": [
                {"fieldId": "individualLegalName", "value": "Zyxanthe Quillfeather"},
                {"fieldId": "individualEmail", "value": "zyxanthe.q@example.invalid"},
            ],
        }
    )
    account = step("create_account", call("POST", "/v3/accounts", bearer, profile), 200)
    path = f"/v3/accounts/{account['id']}"
    step("bearer_get", call("GET", path, bearer), 200)
    own = {"key": minted["apiKey"], "secret": secret}
    step("signed_get_own", signed("GET", path, **own), 200)

    step("rates", call("GET", "/v3/rates"), 200)
    step("signed_get", signed("GET", "/v2/account"), 200)
    child = "/v3/accounts/AC_SIMCHILD001"
    step("child_refused", signed("GET", child), 401)
    step("masquerade", signed("GET", child + "?masqueradeAs=AC_SIMCHILD001"), 200)
    order = json.dumps(
        {
            "source": "account:AC_SIMMASTER01",
            "sourceCurrency": "USD",
            "sourceAmount": "5",
            "dest": "bitcoin:tb1qexample",
            "destCurrency": "BTC",
        }
    )
    transfer = step("signed_post", signed("POST", "/v3/transfers", order), 200)
    path = f"/v3/transfers/{transfer['id']}/confirm"
    step("confirm", signed("POST", path), 200)
    step("confirm_again", signed("POST", path), 400, "transfer.alreadyConfirmed")
    step(
        "bad_signature",
        signed("GET", "/v2/account", secret="not-the-secret"),
        401,
        "accessDenied.invalidSignature",
    )
    step("anonymous", call("GET", "/v2/account"), 401, "accessDenied.invalidSession")
    print(json.dumps({"ok": True, "client": "wyre", "steps": steps}))


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # one line, whatever went wrong
        print(json.dumps({"ok": False, "client": "wyre", "steps": steps, "error": repr(error)}))
        sys.exit(1)
