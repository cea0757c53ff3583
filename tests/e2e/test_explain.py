# SPDX-License-Identifier: MIT
"""oomlab explain: logs in every dress and container, what it says of them, and what it does with what is none."""

import bz2
import gzip
import json
import lzma
import re
import subprocess
import textwrap

import pytest

from lab import EXIT_PASS, EXIT_SKIP, EXIT_USAGE, M, OOMLAB, ROOT

LOGS = ROOT / "tests/fixtures/oom"
MEMCG = (LOGS / "6.1-memcg.log").read_text()
ANSWER = ("we(ird, na me (pid 79, uid 65534) was killed.",
          "The limit of cgroup /a was reached: 32M of 32M; it was in /a/b, below that.")


# The statistics of a group are one printk of many lines.
ONE_RECORD = re.compile(r"Memory cgroup stats for /a:\n(\[    5\.317278\] .*\n)+")


def explain(*words, data=None, seconds=30):
    data = data.encode() if isinstance(data, str) else data
    done = subprocess.run([OOMLAB, "explain", *words], input=data if data is not None else b"", capture_output=True,
                          timeout=seconds, check=False)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return done


def events(*words, data=None):
    done = explain("--json", *words, data=data)
    assert done.returncode == EXIT_PASS, done
    return json.loads(done.stdout)["events"]


def test_the_answer_first():
    done = explain(LOGS / "6.1-memcg.log")
    assert done.returncode == EXIT_PASS and done.stderr == "", done
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0] == "1. [    5.299323]  Linux 6.1.0-50-cloud-amd64"
    assert lines[1:3] == list(ANSWER)
    assert "the highest score of 2 that could be chosen" in lines[3]
    assert lines[4].startswith("What would have saved it: a higher limit of /a; or oom_score_adj ")
    assert any(re.match(r"killed +7254 +28M +0B +96K +0 +65534 +79 +we\(ird, na me", line) for line in lines)
    assert "of the group: memory 32M of 32M, swap 0B of no limit" in lines


def wrapped(text, width):
    """Longer lines broken at a blank, and quoted; what has no blank stays as long as it is."""
    return "".join(f"> {part}\n" for line in text.splitlines()
                   for part in textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False))


def dressed(text):
    """The same log as others write it; each of its lines begins with "[    5.299323] "."""
    lines = [line.split("] ", 1) for line in text.splitlines()]
    bare = [rest for _, rest in lines]
    return {
        "dmesg -T": "".join(f"[Sat Nov 22 07:44:01 2025] {line}\n" for line in bare),
        "dmesg, nothing": "".join(f"{line}\n" for line in bare),
        "dmesg -x": "".join(f"kern  :warn  : {stamp}] {line}\n" for stamp, line in lines),
        "journalctl -k": "".join(f"Nov 22 07:44:01 host kernel: {line}\n" for line in bare),
        "syslog": "".join(f"Nov 22 07:44:01 host kernel: {stamp}] {line}\n" for stamp, line in lines),
        "short-iso": "".join(f"2025-11-22T07:44:01+0000 host kernel: {line}\n" for line in bare),
        "dmesg --color": "".join(f"\x1b[32m{stamp}] \x1b[0m\x1b[33m{line[:2]}\x1b[0m\x1b[1m{line[2:]}\x1b[0m\n" for stamp, line in lines),
        "journalctl -o json": "".join(json.dumps({"PRIORITY": "4", "_TRANSPORT": "kernel", "MESSAGE": line}) + "\n" for line in bare),
        "journalctl -o json-pretty": "".join('{\n\t"_TRANSPORT" : "kernel",\n\t"MESSAGE" : %s,\n\t"PRIORITY" : "4"\n}\n' % json.dumps(line)
                                             for line in bare),
        "journalctl -o verbose": "".join("Sat 2025-11-22 07:44:01.123456 UTC [s=abc;i=1;b=2]\n    _TRANSPORT=kernel\n    PRIORITY=4\n"
                                         f"    MESSAGE={line}\n    _HOSTNAME=host\n" for line in bare),
        "journalctl -o export": "".join(f"__CURSOR=s=abc\n_TRANSPORT=kernel\nMESSAGE={line}\n_HOSTNAME=host\n\n" for line in bare),
        "dmesg --json": "".join('      {\n         "pri": 4,\n         "time":     5.299323,\n         "msg": %s\n      },\n' % json.dumps(line)
                                for line in bare),
        "rsyslog, stats in one record": ONE_RECORD.sub(lambda found: found[0].replace("\n[    5.317278] ", "#012"), text),
        "/dev/kmsg, stats in one record": ONE_RECORD.sub(lambda found: found[0].replace("\n[    5.317278] ", "\\x0a"), text),
        "/dev/kmsg": "".join(f"4,{i},5299323,-;{line}\n" for i, line in enumerate(bare)),
        "a serial console": "".join(f"{stamp}] {line}\r\n" for stamp, line in lines),
        "CR alone": "".join(f"{stamp}] {line}\r" for stamp, line in lines),
        "a last line without its end": text.rstrip("\n"),
        "strangers between": "".join(f"{stamp}] {line}\n[    5.3] usb 1-1: new device\n" for stamp, line in lines),
    }


@pytest.mark.parametrize("dress", dressed(MEMCG))
def test_dresses(dress):
    event, = events(data=dressed(MEMCG)[dress])
    assert (event["who"], event["why"]) == ANSWER
    assert [task["pid"] for task in event["ranking"]] == [79, 78] and event["agreement"] == "agrees"
    assert event["memory"]["group"]["limit"] == 32 * M and event["memory"]["amounts"]["anon"] == 31346688


@pytest.mark.parametrize("width", [60, 66, 72, 76, 80, 90])
@pytest.mark.parametrize("name", ["typed-2.6.32", "typed-3.10-memcg", "5.10-global", "6.1-global-kmsg", "6.1-group", "6.1-panic", "7.3-memcg"])
def test_wrapped_by_a_mailer(name, width):
    """Amounts in a record of many lines may be lost, none may be another, and all else is the same."""
    text = (LOGS / f"{name}.log").read_text(encoding="latin-1")
    plain, mail = events(data=text), events(data=wrapped(text, width))
    for told in plain + mail:
        told["line"] = told["when"] = None
    for one, other in zip(plain, mail, strict=True):
        lost = one["memory"]["amounts"].keys() - other["memory"]["amounts"].keys()
        assert not lost or width == 60 or "kmsg" in name or "typed" in name
        one["memory"]["amounts"] = {key: value for key, value in one["memory"]["amounts"].items() if key not in lost}
    assert plain == mail


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, lambda data: data.decode().encode("utf-16"),
                                  lambda data: data.decode().encode("utf-16-le"), lambda data: data.decode().encode("utf-16-be"),
                                  lambda data: gzip.compress(data.decode().encode("utf-16"))],
                         ids=["gzip", "xz", "bzip2", "UTF-16", "UTF-16LE", "UTF-16BE", "UTF-16 in gzip"])
def test_containers(pack, tmp_path):
    (tmp_path / "log").write_bytes(pack(MEMCG.encode()))
    event, = events(tmp_path / "log")
    assert (event["who"], event["why"]) == ANSWER


def test_several_files_and_the_last_one():
    names = ["5.10-global.log", "6.1-group.log", "7.3-memcg.log"]
    found = events(*[LOGS / name for name in names])
    assert [event["file"].rsplit("/", 1)[1] for event in found] == names
    assert [event["killed"][0]["comm"] for event in found] == ["hog", "leader", "we(ird, na me"]
    assert [len(event["killed"]) for event in found] == [1, 3, 1]
    text = explain("--last", "1", *[LOGS / name for name in names]).stdout
    assert text.startswith("3. ") and "leader" not in text and text.count("was killed") == 1


def test_all_models():
    event, = events("--all-models", LOGS / "typed-2.6.32.log")
    assert [model["model"] for model in event["models"]] == ["2.6", "2.6.36", "2.6.39", "3.6", "3.14", "4.17", "5.1", "5.9"]
    # By address space and oom_adj it is the one that was killed; since 2.6.36 the larger one.
    assert [model["comm"] for model in event["models"]] == ["httpd"] + ["mysqld"] * 7
    assert [model["own"] for model in event["models"]].index(True) == 0
    assert "models" not in events(LOGS / "typed-2.6.32.log")[0]
    text = explain("--all-models", LOGS / "typed-2.6.32.log").stdout
    assert re.search(r"2\.6 +httpd \(2210\) +280480", text) and re.search(r"5\.9 +mysqld \(1502\) +60112", text)


def test_page_tables_outweigh_the_rest():
    """Row D10."""
    text = " ".join(explain(LOGS / "typed-page-tables.log").stdout.split())
    assert "sparse (pid 8204, uid 1000) was killed." in text
    assert "Page tables are 50 % of what it counts for: 3819M beside 3789M resident. It has a sparse mapping" in text
    assert "The table of tasks is not in the log" in text


def test_json_is_ascii_whatever_the_log_holds():
    data = MEMCG.encode().replace(b"we(ird, na me", b"\xff\xc3\xa9 x")
    done = explain("--json", data=data)
    event, = json.loads(done.stdout)["events"]
    assert done.stdout.isascii() and event["killed"][0]["pid"] == 79


@pytest.mark.parametrize("data", [b"", b"\0" * 5000, bytes(range(256)) * 4096, b"x" * 10_000_000, b"[ 1.0] all is well\n" * 1000],
                         ids=["empty", "zeros", "binary", "one long line", "nothing of interest"])
def test_no_event(data):
    done = explain(data=data)
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_SKIP, "", "oomlab explain: no OOM event in standard input\n")


def test_behind_a_long_line():
    event, = events(data="x" * 10_000_000 + "\n" + MEMCG)
    assert event["who"] == ANSWER[0] and event["line"] == 2


@pytest.mark.parametrize("words, said", [
    (["no-such-file"], "oomlab explain: no-such-file: No such file or directory\n"),
    (["/"], "oomlab explain: /: "),
    (["--last", "0"], "oomlab explain: --last: '0'; allowed: a whole number, 1 or more\n"),
    (["--last", "x"], "oomlab explain: --last: 'x'; allowed: a whole number, 1 or more\n"),
])
def test_bad_input(words, said):
    done = explain(*words)
    assert done.returncode == EXIT_USAGE and done.stderr.startswith(said) and done.stderr.count("\n") == 1 and not done.stdout


def test_one_bad_file_does_not_hide_the_others():
    done = explain("no-such-file", LOGS / "6.1-memcg.log")
    assert done.returncode == EXIT_USAGE and ANSWER[0] in done.stdout and "no-such-file" in done.stderr


def test_memory_is_bounded(tmp_path):
    """Thirty megabytes of events in less than a tenth of that: each is forgotten when the next begins."""
    path = tmp_path / "log"
    path.write_text(MEMCG * (30 * M // len(MEMCG)))
    done = subprocess.run(["bash", "-c", 'ulimit -v 300000; exec "$@"', "-", OOMLAB, "explain", path], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == EXIT_PASS, done.stderr
    assert done.stdout.count("was killed.") == 30 * M // len(MEMCG)


def test_what_a_trial_keeps(lab, host):
    """The log of a trial of ours: who was killed is what the trial says."""
    run = lab.run("memcg-limit")
    assert run.status == EXIT_PASS, run
    event, = events(run.trial().dir / "kmsg.log")
    victim, = run.trial().result["victims"]
    assert event["killed"][0]["pid"] == victim["pid"] and event["constraint"] == "memcg" and event["agreement"] == "agrees"
    assert event["limit_cgroup"].endswith("/app")
