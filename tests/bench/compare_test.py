"""bench/compare as its user sees it; the engines print the times they are told."""
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest
import xml.dom.minidom

sys.dont_write_bytecode = True
PROGRAM = str(pathlib.Path(__file__).resolve().parents[2] / "bench/compare")

# Prints the next of its times, a comma between them, at each call.
ENGINE = """#!{python}
import json, pathlib, sys
calls = pathlib.Path(__file__ + ".calls")
lines = calls.read_text().splitlines() if calls.exists() else []
calls.write_text("\\n".join(lines + [" ".join(sys.argv[1:])]) + "\\n")
times = {times}
print("a line that is no JSON")
print(json.dumps({{"median_ms": times[len(lines) % len(times)]}} | {more}))
"""


class Compare(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return str(pathlib.Path(self.folder.name) / name)

    def engine(self, name, times, **more):
        file = pathlib.Path(self.path(name))
        file.write_text(ENGINE.format(python=sys.executable, times=times, more=more))
        file.chmod(0o755)
        return str(file)

    def mini(self, times):
        return self.engine("mini", times, gflop=4, peak_gflops=800, isa="fast<&>set")

    def calls(self, name):
        return pathlib.Path(self.path(name) + ".calls").read_text().splitlines()

    def run_program(self, *arguments):
        return subprocess.run([sys.executable, PROGRAM, *arguments], capture_output=True, text=True)

    def test_medians_ratios_and_spread(self):
        mini, peer = self.mini([10, 40, 20]), self.engine("peer", [30, 60, 24])
        done = self.run_program("--mini", mini, "--peer", "other=" + shlex.quote(peer), "--rounds",
                                "3", "--seconds", "0.5", "--json", self.path("out.json"), "--svg",
                                self.path("out.svg"), "net.onnx")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        report = json.loads(pathlib.Path(self.path("out.json")).read_text())
        result = report["results"][0]
        ours, other = result["engines"]["mini-infer"], result["engines"]["other"]
        self.assertEqual(ours["rounds_ms"], [10, 40, 20])
        self.assertEqual((ours["median_ms"], other["median_ms"]), (20, 30))
        self.assertEqual((ours["gflops"], ours["percent_of_peak"]), (200, 25))
        # Of the medians; of the rounds: 30 / 10, 60 / 40, 24 / 20.
        self.assertEqual((other["ratio"], other["ratio_min"], other["ratio_max"]), (1.5, 1.2, 3))
        self.assertIn("1.50x (1.20 to 3.00)", done.stdout)
        self.assertIn("| net ", done.stdout)
        chart = xml.dom.minidom.parse(self.path("out.svg"))
        words = [node.firstChild.data for node in chart.getElementsByTagName("text")]
        self.assertIn("20.0 ms, 25 % of peak", words)
        self.assertTrue(any("mini-infer 1.50x (1.20 to 3.00)" in text for text in words))
        self.assertTrue(any("fast<&>set" in text and report["date"] in text for text in words))

    def test_every_model_and_thread_count_in_turns(self):
        mini, peer = self.mini([1]), self.engine("peer", [2])
        done = self.run_program("--mini", mini, "--peer", "p=" + peer, "--threads", "1,2",
                                "--rounds", "2", "--seconds", "0.1", "a.onnx", "b.onnx")
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = [f"{model} --threads {threads} --seconds 0.1" for model in ("a.onnx", "b.onnx")
                    for threads in (1, 2) for _ in range(2)]
        self.assertEqual(self.calls("peer"), expected)
        self.assertEqual(self.calls("mini"), ["bench --json " + call for call in expected])

    def test_failed_measurements_are_one(self):
        mini = self.mini([1])
        silent = self.engine("silent", [0])
        for peer, message in (("/nowhere/engine", "cannot start /nowhere/engine"),
                              ("false", "exit code 1"), (silent, "no JSON with median_ms")):
            done = self.run_program("--mini", mini, "--peer", "p=" + peer, "net.onnx")
            self.assertEqual(done.returncode, 1)
            self.assertIn(message, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        done = self.run_program("--mini", mini, "--rounds", "1", "--json", "/nowhere/x", "n.onnx")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot write /nowhere/x", done.stderr)

    def test_wrong_usage_is_two(self):
        for arguments in ([], ["net.onnx", "--threads", "0"], ["net.onnx", "--peer", "nameless"],
                          ["net.onnx", "--rounds", "none"], ["net.onnx", "--bogus"]):
            self.assertEqual(self.run_program(*arguments).returncode, 2, arguments)


if __name__ == "__main__":
    unittest.main()
