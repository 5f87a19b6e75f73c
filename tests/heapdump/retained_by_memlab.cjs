// Reads a .heapsnapshot with MemLab's own parser and prints what it makes of it: {id: [name, type, size, retained]}.
const { createRequire } = require("node:module");
const core = createRequire(`${process.env.MEMWATCH_NODE_MODULES}/`)("@memlab/core");

(async () => {
  const heap = await core.utils.getSnapshotFromFile(process.argv[2], { buildNodeIdIndex: true, verbose: false });
  new core.TraceFinder().calculateAllNodesRetainedSizes(heap);
  const nodes = {};
  heap.nodes.forEach((node) => {
    nodes[node.id] = [node.name, node.type, node.self_size, node.retainedSize];
  });
  process.stdout.write(`\n${JSON.stringify({ edges: heap.edges.length, nodes })}\n`);
})();
