// check-wasm.mjs MODULE DIGEST: the wasm imports nothing, so it can reach no clock, no network and no memory but its own, and its
// scenario ends in the digest that the native build printed.
import { readFile } from "node:fs/promises";

const [path, expected] = process.argv.slice(2);
const module = await WebAssembly.compile(await readFile(path));

const imports = WebAssembly.Module.imports(module).map(({ module, name, kind }) => `${module}.${name} (${kind})`);
if (imports.length > 0) {
  console.error(`check-wasm: the module must import nothing, but imports ${imports.join(", ")}`);
  process.exit(1);
}

const { exports } = await WebAssembly.instantiate(module);
const digest = BigInt.asUintN(64, exports.digest()).toString(16).padStart(16, "0");
console.log(`imports nothing; digest: wasm ${digest}`);
if (digest !== expected) {
  console.error(`check-wasm: the digest is ${digest} in wasm and ${expected} natively: something depends on the platform`);
  process.exit(1);
}
