def test_it(bench):
    doc = bench.run("echo hello; env | sort > /gcs/bucket/env.txt; pwd; ls -la /gcs")
    print(doc)
    print((bench.world.gcs/"bucket"/"env.txt").read_text())
    from cloudml_vertex.mock.core import entries
    from cloudml.mocks.store import Scope
    for e in entries.read(bench.world, Scope("123456789","us-central1")): print(e)
    doc = bench.run("exit 3"); print(doc["error"])
