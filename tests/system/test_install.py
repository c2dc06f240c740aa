# SPDX-License-Identifier: BSD-2-Clause
"""What `make install` puts down is enough for a stranger: to run a server, to build a plugin and a
client outside of the tree, and it goes again without a trace."""

import os
import re
import shutil
import subprocess
import tempfile

import wqtest
from wqtest import SANITIZED, Server

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

CLIENT = r"""
#include <stdio.h>
#include <wq/client.h>
int main(void)
{
	struct wq_err err = { 0 };
	struct wq_request request = { .struct_size = sizeof request, .payload = "\xa0", .payload_len = 1 };
	struct wq_result_info info = { .struct_size = sizeof info };
	char id[WQ_ID_SIZE];
	wq_client *c;
	wq_result *result;
	if (wq_open(&c, NULL, &err) < 0 || wq_enqueue(c, &request, id, &err) < 0 ||
		wq_wait(c, id, WQ_FOREVER, 0, &result, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	wq_result_info(result, &info);
	puts(info.status);
	wq_result_free(result);
	wq_close(c);
	return 0;
}
"""


def run(*args, **kw):
    done = subprocess.run(args, capture_output=True, text=True, timeout=wqtest.LIMIT_S, **kw)
    assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
    return done.stdout


def files_below(directory):
    return sorted(os.path.relpath(os.path.join(d, f), directory)
                  for d, _, names in os.walk(directory) for f in names)


def test_a_stranger_builds_a_plugin_and_a_client_from_what_is_installed():
    root = tempfile.mkdtemp(prefix="wq-install.")
    try:
        make = ["flock", f"{TOP}/build/.making", "make", "-s", "-C", TOP, "WERROR=1",
                f"DESTDIR={root}", "PREFIX=/usr"]
        run(*make, "B=build/release", "install")
        names = files_below(root)
        for name in ("usr/bin/wq", "usr/sbin/wq-server", "usr/lib/libwq.so", "usr/lib/wq/null.so",
                     "usr/lib/wq/thread-pool.so", "usr/lib/wq/handlers/standard.so",
                     "usr/include/wq/plugin.h", "usr/include/wq/client.h",
                     "usr/share/man/man1/wq.1", "usr/share/man/man7/wq-spool.7",
                     "usr/share/doc/wq/wq-request.cddl", "usr/lib/pkgconfig/wq.pc"):
            assert name in names, name
        assert not any("faulty" in n or "scripted" in n for n in names)

        include, lib = f"-I{root}/usr/include", f"{root}/usr/lib"
        with open(os.path.join(TOP, "docs", "wq-plugin.3")) as f:
            source = re.search(r"(#include <wq/plugin.h>\n.*?\n\.Ed)", f.read(), re.S)[1][:-4]
        with open(f"{root}/null.c", "w") as f:
            f.write(source.replace("\\e", "\\"))
        os.mkdir(f"{root}/mine")
        run("cc", "-shared", "-fPIC", include, "-o", f"{root}/mine/null.so", f"{root}/null.c")
        with open(f"{root}/client.c", "w") as f:
            f.write(CLIENT)
        run("cc", include, "-o", f"{root}/client", f"{root}/client.c", f"-L{lib}", "-lwq",
            f"-Wl,-rpath,{lib}")
        with Server(f'task-manager "mine" {{ plugin = "{root}/mine/null.so" }}') as server:
            assert run(f"{root}/client", env=server.env) == "ok\n"
            assert run(f"{root}/usr/bin/wq", "list", env=server.env) == ""

        run(*make, "uninstall")
        assert [n for n in files_below(f"{root}/usr")] == []
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    if not SANITIZED:
        wqtest.main(globals())
