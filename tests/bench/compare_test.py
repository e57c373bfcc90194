"""bench/compare and onnxruntime_peer as their user sees them; engines print the times they are told."""
import json
import os
import pathlib
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.dom.minidom

sys.dont_write_bytecode = True
BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
PROGRAM, PEER = str(BENCH / "compare"), str(BENCH / "onnxruntime_peer")

# Prints the next of its times, a comma between them, at each call.
ENGINE = """#!{python}
import json, pathlib, sys
calls = pathlib.Path(__file__ + ".calls")
lines = calls.read_text().splitlines() if calls.exists() else []
calls.write_text("\\n".join(lines + [" ".join(sys.argv[1:])]) + "\\n")
times = {times}
if sys.argv[1] == "inspect":
    print(json.dumps({more}, indent=2))
    sys.exit()
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

    def mini(self, times, **more):
        return self.engine("mini", times, gflop=4, peak_gflops=800, isa="fast<&>set", **more)

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

    def test_files_that_are_just_model_have_their_folders_name(self):
        done = self.run_program("--mini", self.mini([1]), "vad/model.onnx", "b/net.onnx", "model.onnx")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("| ")]
        self.assertEqual(rows[2:], ["vad", "net", "model"])

    def test_inputs_and_shapes_go_to_the_models_that_have_them(self):
        mini, peer = self.mini([1], inputs=[{"name": "sr"}, {"name": "a=b"}]), self.engine("p", [2])
        done = self.run_program("--mini", mini, "--peer", "p=" + peer, "--rounds", "1", "--seconds",
                                "1", "--input", "sr=16000", "--shape", "a=b=1x512", "net.onnx",
                                "--json", self.path("out.json"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        call = "net.onnx --threads 1 --seconds 1.0 --input sr=16000 --shape a=b=1x512"
        self.assertEqual(self.calls("p"), [call])
        self.assertEqual(self.calls("mini"), ["inspect --json net.onnx", "bench --json " + call])
        report = json.loads(pathlib.Path(self.path("out.json")).read_text())
        self.assertEqual(report["given"], [["--input", "sr=16000"], ["--shape", "a=b=1x512"]])

    def test_inputs_of_other_models_are_left_out(self):
        # The engine names the input after the model it is asked about.
        mini, peer = self.path("mini"), self.engine("p", [2])
        pathlib.Path(mini).write_text(
            f"#!{sys.executable}\nimport json, sys\n"
            'print(json.dumps({"median_ms": 1, "inputs": [{"name": sys.argv[3][0]}]}))\n')
        pathlib.Path(mini).chmod(0o755)
        done = self.run_program("--mini", mini, "--peer", "p=" + peer, "--rounds", "1", "--seconds",
                                "1", "--input", "a=5", "--shape", "b=2x3", "a.onnx", "b.onnx")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.calls("p"), ["a.onnx --threads 1 --seconds 1.0 --input a=5",
                                           "b.onnx --threads 1 --seconds 1.0 --shape b=2x3"])

    def test_an_input_that_no_model_has_is_wrong_usage(self):
        mini = self.mini([1], inputs=[{"name": "sr"}])
        done = self.run_program("--mini", mini, "--input", "rate=1", "--input", "sr=1", "net.onnx")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr, "compare: --input rate=1: no model has an input of that name; "
                                      "mini-infer inspect lists them\n")
        self.assertEqual(self.calls("mini"), ["inspect --json net.onnx"])

    def test_reports_do_not_overwrite_models(self):
        model = pathlib.Path(self.path("net.onnx"))
        model.write_text("weights")
        for option in ("--json", "--svg"):
            done = self.run_program("--mini", self.mini([1]), option, str(model), "other.onnx")
            self.assertEqual(done.returncode, 2)
            self.assertIn("is a model, and would be overwritten", done.stderr)
            self.assertEqual(model.read_text(), "weights")

    def test_a_model_that_cannot_be_read_fails_alone(self):
        done = self.run_program("--mini", "false", "--input", "sr=1", "net.onnx")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn("inspect --json net.onnx: exit code 1", done.stderr)
        done = self.run_program("--mini", self.mini([1]), "--input", "sr=1", "net.onnx")
        self.assertEqual(done.returncode, 1)
        self.assertIn("inspect --json net.onnx: prints no inputs as JSON", done.stderr)

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
                          ["net.onnx", "--rounds", "none"], ["net.onnx", "--bogus"],
                          ["net.onnx", "--input", "sr"], ["net.onnx", "--shape", "x=1x"]):
            self.assertEqual(self.run_program(*arguments).returncode, 2, arguments)
        done = self.run_program("net.onnx", "--shape", "x=2,3")
        self.assertIn("argument --shape: 'x=2,3' is not written like NAME=1x3x224x224", done.stderr)


# In place of onnxruntime-node: a model of a float, a whole number and a half, which writes what it
# is run with into the file that the model is.
RUNTIME = """
const fs = require('fs');
exports.Tensor = class { constructor(type, data, dims) { Object.assign(this, {type, data, dims}); } };
exports.InferenceSession = {create: async (model) => ({
  inputNames: ['x', 'n', 'h'],
  inputMetadata: [{type: 'float32', shape: ['N', 2]}, {type: 'int64', shape: []},
                  {type: 'float16', shape: [1]}],
  run: async (inputs) => fs.writeFileSync(model, JSON.stringify(Object.fromEntries(Object.entries(
    inputs).map(([name, {type, data, dims}]) => [name, [type, Array.from(data, Number), dims]])))),
})};
"""


@unittest.skipUnless(shutil.which("node"), "node is not installed")
class OnnxruntimePeer(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "onnxruntime-node").mkdir()
        (self.folder / "onnxruntime-node/index.js").write_text(RUNTIME)

    def run_peer(self, *arguments):
        return subprocess.run(["node", PEER, str(self.folder / "fed"), "--seconds", "0", *arguments],
                              capture_output=True, text=True,
                              env=os.environ | {"NODE_PATH": str(self.folder)})

    def fed(self, *arguments):
        done = self.run_peer(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertGreater(json.loads(done.stdout)["median_ms"], 0)
        return json.loads((self.folder / "fed").read_text())

    def npy(self, header, data, version=1):
        size = struct.pack("<H" if version == 1 else "<I", len(header))
        file = self.folder / "x.npy"
        file.write_bytes(b"\x93NUMPY" + bytes([version, 0]) + size + header.encode() + data)
        return str(file)

    def test_made_up_inputs(self):
        fed = self.fed()
        self.assertEqual((fed["x"][0], fed["x"][2]), ("float32", [1, 2]))
        self.assertTrue(all(-1 <= value < 1 for value in fed["x"][1]))
        self.assertEqual(fed["n"], ["int64", [1], []])

    def test_numbers_fill_and_shapes_say_how_much(self):
        fed = self.fed("--input", "x=-2.5", "--shape", "x=2x2", "--input", "n=16000", "--input",
                       "h=1.5", "--shape", "h=3")
        self.assertEqual(fed["x"], ["float32", [-2.5] * 4, [2, 2]])
        self.assertEqual(fed["n"], ["int64", [16000], []])
        self.assertEqual(fed["h"], ["float16", [0x3e00] * 3, [3]])
        for number, bits in (("-0.25", 0xb400), ("1e-7", 2), ("65504", 0x7bff), ("1e9", 0x7c00)):
            self.assertEqual(self.fed("--input", "h=" + number)["h"][1], [bits], number)

    def test_reads_npy_files(self):
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }\n"
        data = struct.pack("<3f", 1, -2, 3.5)
        for version in (1, 2):
            fed = self.fed("--input", "x=" + self.npy(header, data, version))
            self.assertEqual(fed["x"], ["float32", [1, -2, 3.5], [3, 1]])
        whole = self.npy("{'descr': '<i8', 'fortran_order': False, 'shape': (), }\n",
                         struct.pack("<q", -7))
        self.assertEqual(self.fed("--input", "n=" + whole)["n"], ["int64", [-7], []])

    def test_wrong_uses_are_one_line(self):
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }\n"
        for arguments, message in (
                (["--input", "y=1"], "--input y=1 names no input; the model has x, n, h"),
                (["--input", "x=1", "--input", "x=2"], "--input x=2: 'x' is given twice"),
                (["--input", "n=1.5"], "1.5 is no whole number, as int64 needs"),
                (["--input", "x=" + PEER], "is neither a number nor a .npy file"),
                (["--input", "x=/nowhere/x.npy"], "no such file or directory, open '/nowhere/x.npy'"),
                (["--input", "x=" + self.npy(header, b"1234")], "has not the size of its shape"),
                (["--shape", "x=1xx"], "--shape 1xx: write 1x3x224x224, or scalar"),
                (["--input"], "what is --input without a value?"), (["--bogus", "1"], "--bogus")):
            done = self.run_peer(*arguments)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(message, done.stderr)


if __name__ == "__main__":
    unittest.main()
