"""The JSON API as its reference has it, by plain HTTP."""

from __future__ import annotations

import base64
import gzip
import hashlib
from http.client import RemoteDisconnected
from urllib.parse import quote

import pytest

from cloudml.mocks.faults import Fault

KIB256 = 256 * 1024


def put(ask, name, data, query="", headers=None):
    target = f"/upload/storage/v1/b/data/o?uploadType=media&name={quote(name, safe='')}{query}"
    return ask("POST", target, data, {"Content-Type": "text/plain", **(headers or {})})


def media(ask, name, headers=None, query=""):
    return ask("GET", f"/storage/v1/b/data/o/{quote(name, safe='')}?alt=media{query}", headers=headers)


def listed(ask, query=""):
    answer = ask("GET", f"/storage/v1/b/data/o?{query}").json
    return [item["name"] for item in answer.get("items", [])], answer.get("prefixes", []), answer.get("nextPageToken")


def test_bucket_life(ask):
    made = ask(
        "POST", "/storage/v1/b?project=acme-data", {"name": "data", "location": "europe-west1", "labels": {"a": "b"}}
    )
    assert (made.json["location"], made.json["locationType"], made.json["metageneration"]) == (
        "EUROPE-WEST1",
        "region",
        "1",
    )
    assert ask("POST", "/storage/v1/b?project=acme-data", {"name": "data"}).status == 409
    assert ask("PATCH", "/storage/v1/b/data", {"labels": {"a": None, "c": "d"}}).json["labels"] == {"c": "d"}
    assert ask("PATCH", "/storage/v1/b/data?ifMetagenerationMatch=1", {"labels": {}}).status == 412
    layout = ask("GET", "/storage/v1/b/data/storageLayout").json
    assert (layout["kind"], layout["location"]) == ("storage#storageLayout", "EUROPE-WEST1")
    assert [one["name"] for one in ask("GET", "/storage/v1/b?project=acme-data").json["items"]] == ["data"]
    assert "items" not in ask("GET", "/storage/v1/b?project=another-one").json
    put(ask, "x", b"1")
    refused = ask("DELETE", "/storage/v1/b/data")
    assert (refused.status, refused.reason) == (409, "conflict")
    ask("DELETE", "/storage/v1/b/data/o/x")
    assert ask("DELETE", "/storage/v1/b/data").status == 204
    assert ask("GET", "/storage/v1/b/data").status == 404


@pytest.mark.parametrize(
    "name", ["", "ab", "Data", "-data", "data-", "goog-data", "a..b", "10.0.0.1", "../data", "a/b"]
)
def test_bucket_names_that_may_not_be(ask, name):
    refused = ask("POST", "/storage/v1/b?project=acme-data", {"name": name})
    assert (refused.status, refused.reason) == (400, "invalid")


def test_what_is_not_executed_says_so(ask, bucket):
    assert ask("PATCH", "/storage/v1/b/data", {"versioning": {"enabled": True}}).status == 501
    assert ask("GET", "/storage/v1/b/data/o?softDeleted=true").status == 501
    assert put(ask, "x", b"1", headers={"X-Goog-Encryption-Key": "k"}).status == 501


def test_checksums_and_resource(ask, bucket):
    made = put(ask, "a/b.txt", b"123456789").json
    # CRC-32C of "123456789" is 0xE3069283 (RFC 3720, the check value of the catalogue of CRC algorithms).
    assert made["crc32c"] == base64.b64encode(bytes.fromhex("e3069283")).decode()
    assert made["md5Hash"] == base64.b64encode(hashlib.md5(b"123456789").digest()).decode()
    assert (made["size"], made["metageneration"], made["contentType"]) == ("9", "1", "text/plain")
    got = media(ask, "a/b.txt")
    assert got.headers["x-goog-hash"] == f"crc32c={made['crc32c']},md5={made['md5Hash']}"
    assert (got.body, got.headers["x-goog-generation"]) == (b"123456789", made["generation"])


@pytest.mark.parametrize("header", ["crc32c=AAAAAA==", "md5=1B2M2Y8AsgTpgAmY7PhCfg==", "sha1=x"])
def test_wrong_checksums_are_refused(ask, bucket, header):
    assert put(ask, "x", b"data", headers={"X-Goog-Hash": header}).status == 400
    assert media(ask, "x").status == 404


def test_preconditions(ask, bucket):
    assert put(ask, "x", b"1", "&ifGenerationMatch=7").status == 412
    first = put(ask, "x", b"1", "&ifGenerationMatch=0").json
    lost = put(ask, "x", b"2", "&ifGenerationMatch=0")
    assert (lost.status, lost.reason) == (412, "conditionNotMet")
    second = put(ask, "x", b"2", f"&ifGenerationMatch={first['generation']}").json
    assert int(second["generation"]) > int(first["generation"])
    here, old, new = "/storage/v1/b/data/o/x", first["generation"], second["generation"]
    assert ask("GET", f"{here}?generation={old}").status == 404
    assert ask("GET", f"{here}?ifGenerationMatch={old}").status == 412
    unchanged = ask("GET", f"{here}?ifGenerationNotMatch={new}")
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert ask("GET", f"{here}?ifGenerationNotMatch={old}").status == 200
    assert ask("GET", here, headers={"If-None-Match": second["etag"]}).status == 304
    assert ask("PATCH", f"{here}?ifMetagenerationMatch=2", {"metadata": {"a": "b"}}).status == 412
    assert ask("PATCH", f"{here}?ifMetagenerationMatch=1", {"metadata": {"a": "b"}}).json["metageneration"] == "2"
    assert ask("DELETE", f"{here}?ifGenerationMatch={old}").status == 412
    assert ask("DELETE", f"{here}?ifMetagenerationNotMatch=2").status == 412
    assert ask("DELETE", f"{here}?ifGenerationMatch={new}").status == 204
    assert ask("DELETE", f"{here}?ifGenerationMatch={new}").status == 404
    assert put(ask, "x", b"3", "&ifGenerationNotMatch=0").status == 412
    assert ask("GET", f"{here}?ifGenerationMatch=abc").status == 404
    assert put(ask, "x", b"3", "&ifGenerationMatch=-1").status == 400


def test_metadata_patch_merges_and_update_replaces(ask, bucket):
    put(ask, "x", b"1")
    here = "/storage/v1/b/data/o/x"
    ask("PATCH", here, {"metadata": {"a": "1", "b": "2"}, "cacheControl": "no-store"})
    patched = ask("PATCH", here, {"metadata": {"a": None, "c": "3"}}).json
    assert (patched["metadata"], patched["cacheControl"]) == ({"b": "2", "c": "3"}, "no-store")
    updated = ask("PUT", here, {"metadata": {"d": "4"}, "contentType": "text/csv"}).json
    assert updated["metadata"] == {"d": "4"}
    assert "cacheControl" not in updated
    assert ask("PATCH", here, {"metadata": {"a": 1}}).status == 400
    assert ask("PATCH", here, {"metadata": {"a": "x" * 9000}}).status == 400
    assert ask("PATCH", here, {"customTime": "2026-01-02T00:00:00Z"}).status == 200
    assert ask("PATCH", here, {"customTime": "2026-01-01T00:00:00Z"}).status == 400


def test_ranges(ask, bucket):
    put(ask, "x", b"0123456789")
    cases = {
        "bytes=2-4": b"234",
        "bytes=7-": b"789",
        "bytes=-3": b"789",
        "bytes=8-99": b"89",
        "bytes=-99": b"0123456789",
    }
    for header, data in cases.items():
        got = media(ask, "x", {"Range": header})
        assert (got.status, got.body) == (206, data)
    assert media(ask, "x", {"Range": "bytes=2-4"}).headers["content-range"] == "bytes 2-4/10"
    beyond = media(ask, "x", {"Range": "bytes=10-"})
    assert (beyond.status, beyond.headers["content-range"]) == (416, "bytes */10")
    for header in ("bytes=4-2", "lines=1-2", "bytes=-"):
        assert media(ask, "x", {"Range": header}).status == 200


def test_gzip_is_passed_on_or_inflated(ask, bucket):
    packed = gzip.compress(b"hello " * 100)
    put(ask, "x", packed, "&contentEncoding=gzip")
    as_is = media(ask, "x", {"Accept-Encoding": "gzip"})
    assert (as_is.body, as_is.headers["content-encoding"]) == (packed, "gzip")
    inflated = media(ask, "x", {"Range": "bytes=0-4"})
    assert (inflated.status, inflated.body) == (200, b"hello " * 100)
    assert "content-encoding" not in inflated.headers
    ask("PATCH", "/storage/v1/b/data/o/x", {"cacheControl": "no-transform"})
    assert media(ask, "x").body == packed


def begin(ask, name="big", query="", **metadata):
    target = f"/upload/storage/v1/b/data/o?uploadType=resumable&name={name}{query}"
    return ask("POST", target, metadata, {"X-Upload-Content-Type": "text/csv"})


def test_resumable_in_chunks(ask, bucket):
    data = bytes(range(256)) * 2500
    there = begin(ask, metadata={"a": "b"}).headers["location"]
    assert ask("PUT", there, b"", {"Content-Range": "bytes */*"}).headers.get("range") is None
    first = ask("PUT", there, data[: KIB256 + 10], {"Content-Range": f"bytes 0-{KIB256 + 9}/*"})
    assert (first.status, first.headers["range"]) == (308, f"bytes=0-{KIB256 - 1}")
    assert media(ask, "big").status == 404
    ahead = ask("PUT", there, data[KIB256 + 5 :], {"Content-Range": f"bytes {KIB256 + 5}-{len(data) - 1}/{len(data)}"})
    assert ahead.status == 400
    # What has arrived already is left out when it is sent again.
    made = ask("PUT", there, data[100:], {"Content-Range": f"bytes 100-{len(data) - 1}/{len(data)}"}).json
    assert (made["size"], made["contentType"], made["metadata"]) == (str(len(data)), "text/csv", {"a": "b"})
    assert media(ask, "big").body == data
    again = ask("PUT", there, b"", {"Content-Range": f"bytes */{len(data)}"})
    assert (again.status, again.json["generation"]) == (200, made["generation"])


def test_resumable_ends_of_sessions(ask, bucket, world):
    there = begin(ask).headers["location"]
    assert ask("DELETE", there).status == 499
    assert ask("PUT", there, b"x").status == 499
    assert ask("PUT", there[:-3] + "zzz", b"x").status == 404
    race = begin(ask, query="&ifGenerationMatch=0").headers["location"]
    put(ask, "big", b"other")
    assert ask("PUT", race, b"mine").status == 412
    assert media(ask, "big").body == b"other"
    assert begin(ask, query="&ifGenerationMatch=0").status == 412
    wrong = begin(ask, md5Hash="1B2M2Y8AsgTpgAmY7PhCfg==").headers["location"]
    assert ask("PUT", wrong, b"not empty").status == 400
    late = begin(ask).headers["location"]
    world.clock.advance(8 * 86400)
    assert ask("PUT", late, b"x").status == 410


def test_resumable_of_zero_bytes(ask, bucket):
    there = begin(ask).headers["location"]
    assert ask("PUT", there, b"", {"Content-Range": "bytes */0"}).json["size"] == "0"


def test_listing(ask, bucket):
    names = ["a", "a-b", "a/", "a/b", "a/b/c", "a0", "b/x", "c//d", "é"]
    for name in names:
        put(ask, name, b"1")
    assert listed(ask)[0] == names
    assert listed(ask, "delimiter=/")[:2] == (["a", "a-b", "a0", "é"], ["a/", "b/", "c/"])
    assert listed(ask, "delimiter=/&prefix=a/")[:2] == (["a/", "a/b"], ["a/b/"])
    assert listed(ask, "delimiter=/&includeTrailingDelimiter=true")[0] == ["a", "a-b", "a/", "a0", "é"]
    assert listed(ask, "delimiter=-")[1] == ["a-"]
    assert listed(ask, "prefix=a/b")[0] == ["a/b", "a/b/c"]
    assert listed(ask, "startOffset=a/b&endOffset=b/")[0] == ["a/b", "a/b/c", "a0"]
    assert listed(ask, "matchGlob=a/*")[0] == ["a/", "a/b"]
    assert listed(ask, "matchGlob=**/%5Bcd%5D")[0] == ["a/b/c", "c//d"]
    assert listed(ask, "matchGlob=%7Ba,b%7D**")[0] == names[:7]
    assert ask("GET", "/storage/v1/b/data/o?matchGlob=%5Ba").status == 400


@pytest.mark.parametrize("query", ["", "&delimiter=/", "&delimiter=/&includeTrailingDelimiter=true", "&prefix=a"])
def test_pages_are_the_whole(ask, bucket, query):
    for name in ("a", "a/", "a/b", "a/c", "b", "b/c", "d"):
        put(ask, name, b"1")
    whole_items, whole_prefixes, _ = listed(ask, query)
    items, prefixes, token = listed(ask, f"maxResults=1{query}")
    while token:
        more, further, token = listed(ask, f"maxResults=1{query}&pageToken={quote(token)}")
        items, prefixes = items + more, prefixes + further
    assert (items, prefixes) == (whole_items, whole_prefixes)
    assert ask("GET", "/storage/v1/b/data/o?pageToken=nonsense").status == 400


def test_compose(ask, bucket):
    for number in range(3):
        put(ask, f"part{number}", b"%d" % number * 3)
    sources = [{"name": f"part{number}"} for number in range(3)]
    made = ask(
        "POST", "/storage/v1/b/data/o/whole/compose", {"sourceObjects": sources, "destination": {"contentType": "a/b"}}
    )
    assert (made.json["componentCount"], made.json["contentType"]) == (3, "a/b")
    assert "md5Hash" not in made.json
    assert media(ask, "whole").body == b"000111222"
    assert made.json["crc32c"] == put(ask, "same", b"000111222").json["crc32c"]
    held = [{"name": "part0", "objectPreconditions": {"ifGenerationMatch": "5"}}]
    assert ask("POST", "/storage/v1/b/data/o/w/compose", {"sourceObjects": held}).status == 412
    assert ask("POST", "/storage/v1/b/data/o/w/compose", {"sourceObjects": sources * 11}).status == 400
    assert ask("POST", "/storage/v1/b/data/o/w/compose", {"sourceObjects": [{"name": "no"}]}).status == 404
    target = "/storage/v1/b/data/o/whole/compose?ifGenerationMatch=0"
    assert ask("POST", target, {"sourceObjects": sources}).status == 412


def test_rewrite_and_copy(ask, bucket):
    data = b"x" * (2 * 1024 * 1024 + 5)
    put(ask, "a", data)
    ask("PATCH", "/storage/v1/b/data/o/a", {"metadata": {"k": "v"}})
    target, calls = "/storage/v1/b/data/o/a/rewriteTo/b/data/o/b%2Fc?maxBytesRewrittenPerCall=1048576", 1
    answer = ask("POST", target).json
    while not answer["done"]:
        calls += 1
        answer = ask("POST", f"{target}&rewriteToken={quote(answer['rewriteToken'])}").json
    assert (calls, answer["resource"]["metadata"], answer["totalBytesRewritten"]) == (3, {"k": "v"}, str(len(data)))
    assert media(ask, "b/c").body == data
    copied = ask("POST", "/storage/v1/b/data/o/a/copyTo/b/data/o/d", {"metadata": {"n": "w"}}).json
    assert (copied["metadata"], copied["contentType"]) == ({"n": "w"}, "text/plain")
    assert ask("POST", "/storage/v1/b/data/o/a/copyTo/b/data/o/d?ifSourceGenerationMatch=1").status == 412
    assert ask("POST", "/storage/v1/b/data/o/a/copyTo/b/data/o/d?ifGenerationMatch=0").status == 412
    assert ask("POST", "/storage/v1/b/data/o/no/copyTo/b/data/o/d").status == 404
    assert ask("POST", target + "&rewriteToken=AAAA").status == 400


def test_batch(ask, bucket):
    put(ask, "x", b"1")
    parts = [("DELETE", "x", ""), ("GET", "no", ""), ("PATCH", "y", '{"metadata": {"a": "b"}}')]
    put(ask, "y", b"1")
    body = "".join(
        f"--mark\r\nContent-Type: application/http\r\nContent-ID: <id+{number}>\r\n\r\n"
        f"{verb} /storage/v1/b/data/o/{name} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{text}\r\n"
        for number, (verb, name, text) in enumerate(parts)
    )
    answer = ask(
        "POST", "/batch/storage/v1", f"{body}--mark--".encode(), {"Content-Type": "multipart/mixed; boundary=mark"}
    )
    text = answer.body.decode()
    assert [text.index(f"<response-id+{number}>") for number in range(3)] == sorted(
        text.index(f"<response-id+{number}>") for number in range(3)
    )
    assert [word in text for word in ("HTTP/1.1 204", "HTTP/1.1 404", "HTTP/1.1 200")] == [True] * 3
    assert media(ask, "x").status == 404
    assert ask("POST", "/batch/storage/v1", b"--mark", {"Content-Type": "multipart/mixed; boundary=mark"}).status == 400


def test_multipart(ask, bucket):
    def send(body):
        target = "/upload/storage/v1/b/data/o?uploadType=multipart"
        return ask("POST", target, body, {"Content-Type": 'multipart/related; boundary="=m="'})

    head = b'--=m=\r\nContent-Type: application/json\r\n\r\n{"name": "x"}\r\n--=m=\r\nContent-Type: a/b\r\n\r\n'
    content = b"\r\n--=m\r\n--=m=x\r\n\r\n"  # nearly a boundary, twice
    assert send(head + content + b"\r\n--=m=--").json["contentType"] == "a/b"
    assert media(ask, "x").body == content
    assert send(head + b"\r\n--=m=--\r\n").json["size"] == "0"
    assert send(head + content).status == 400
    assert send(b"").status == 400


def test_partial_responses(ask, bucket):
    put(ask, "x", b"1")
    assert ask("GET", "/storage/v1/b/data/o?fields=items(name,size),nextPageToken").json == {
        "items": [{"name": "x", "size": "1"}]
    }
    assert ask("GET", "/storage/v1/b/data/o/x?fields=name").json == {"name": "x"}
    assert ask("GET", "/storage/v1/b/data/o/x?fields=name(").status == 400


def test_errors_have_googles_envelope(ask, bucket):
    missing = ask("GET", "/storage/v1/b/data/o/no")
    assert missing.json["error"] == {
        "code": 404,
        "message": "No such object: data/no",
        "errors": [{"message": "No such object: data/no", "domain": "global", "reason": "notFound"}],
    }
    assert ask("GET", "/storage/v1/b/none/o").json["error"]["message"] == "The specified bucket does not exist."
    assert ask("POST", "/storage/v1/b?project=acme-data", b"{").status == 400
    assert ask("GET", "/storage/v1/b/data/o?maxResults=x").status == 400
    assert ask("GET", "/storage/v1/nothing").status == 404


def test_faults_strike_storage_as_any_rpc(ask, bucket, world):
    world.faults.add(Fault("unavailable", "storage.objects.*", count=1))
    assert put(ask, "x", b"1").status == 503
    assert put(ask, "x", b"1").status == 200
    world.faults.add(Fault("lost-response", "storage.objects.delete", count=1))
    with pytest.raises(RemoteDisconnected):
        ask("DELETE", "/storage/v1/b/data/o/x")
    assert media(ask, "x").status == 404


def test_iam(ask, bucket):
    policy = ask("GET", "/storage/v1/b/data/iam").json
    binding = [{"role": "roles/storage.objectViewer", "members": ["allUsers"]}]
    assert ask("PUT", "/storage/v1/b/data/iam", {**policy, "bindings": binding}).json["bindings"] == binding
    assert ask("PUT", "/storage/v1/b/data/iam", policy).status == 409
    asked = "permissions=storage.objects.get&permissions=storage.buckets.get"
    answer = ask("GET", f"/storage/v1/b/data/iam/testPermissions?{asked}").json
    assert answer["permissions"] == ["storage.objects.get", "storage.buckets.get"]
