//! Every rendered variant in Chrome's WGSL compiler, Tint, which is stricter than naga: above all, it refuses barriers
//! and subgroup operations if it cannot prove uniform control flow.
//!
//! Two features of [`Target::Subgroup`](wgvae_engine::wgsl::Target::Subgroup) are native only. Browsers have no 64-bit
//! words, so quads.wgsl replaces quads_in_pairs.wgsl here, as for the other targets. Browsers also require
//! `enable subgroups;` in front of a module that uses them, which naga refuses. Modules are checked in that form.

use std::collections::HashSet;
use std::time::Duration;

use crate::common::chromium::{Chromium, folder, skipped};
use crate::common::variants::each_source;
use serde_json::{Value, json};

const QUADS: &str = include_str!("../../shaders/quads.wgsl");
const QUADS_IN_PAIRS: &str = include_str!("../../shaders/quads_in_pairs.wgsl");

/// A page that compiles the modules in its script and shows their errors as its body. The browser prints a page once it
/// is loaded, and an open document in it delays that until the results are there.
///
/// Tint checks a module's constants only when a pipeline is created. That takes a software adapter 30 ms in most
/// families and up to 2 s for a product, so it is done only for modules with constants; products have none. Modules are
/// checked in batches: all at once took 2.5 GB, and longer.
const PAGE: &str = r#"<!doctype html><html><body><iframe></iframe><script src="modules.js"></script><script>
const held = document.querySelector("iframe").contentDocument;
held.open();
const AT_ONCE = 64;
const escaped = text => text.replace(/[<>&\u00a0]/g, c => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));

async function refusal(device, {code, entry, constants}) {
  const module = device.createShaderModule({code});
  const error = (await module.getCompilationInfo()).messages.find(message => message.type === "error");
  if (error) return {line: error.lineNum, message: error.message};
  if (Object.keys(constants).length === 0) return null;
  const compute = {module, entryPoint: entry, constants};
  return device.createComputePipelineAsync({layout: "auto", compute}).then(() => null, e => ({line: 0, message: e.message}));
}

async function answer() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter?.features.has("subgroups")) return {missing: adapter ? "subgroups in its WebGPU" : "WebGPU"};
  const device = await adapter.requestDevice({requiredFeatures: ["subgroups"]});
  device.pushErrorScope("validation");
  const refusals = [];
  for (let from = 0; from < MODULES.length; from += AT_ONCE) {
    const some = MODULES.slice(from, from + AT_ONCE);
    refusals.push(...await Promise.all(some.map(module => refusal(device, module))));
  }
  return {refusals};
}

answer().catch(error => ({failed: String(error)})).then(answer => {
  document.body.textContent = escaped(JSON.stringify(answer));
  held.close();
});
</script></body></html>"#;

/// A module in the form that the page reads.
fn module(name: &str, code: &str, entry: &str, constants: &[(&str, f64)]) -> Value {
    let constants: serde_json::Map<String, Value> = constants.iter().map(|(k, v)| (k.to_string(), json!(v))).collect();
    json!({ "name": name, "code": code, "entry": entry, "constants": constants })
}

/// The source as a browser needs it.
fn for_browsers(text: &str) -> String {
    let text = text.replace(QUADS_IN_PAIRS, QUADS);
    if text.contains("subgroupBroadcast") { format!("enable subgroups; {text}") } else { text }
}

/// Every distinct module in the form for browsers.
fn modules() -> Vec<Value> {
    let (mut seen, mut modules) = (HashSet::new(), Vec::new());
    each_source(|op, source| {
        let module = module(&source.variant, &for_browsers(&source.text), op.kernel.entry(), &source.constants);
        let [code, entry, constants] = ["code", "entry", "constants"].map(|key| module[key].to_string());
        if seen.insert((code, entry, constants)) {
            modules.push(module);
        }
    });
    modules
}

/// Modules that must be refused, each for a different reason.
fn faulty() -> [Value; 4] {
    let barrier = "@compute @workgroup_size(8) fn main(@builtin(local_invocation_index) lane: u32) {
        if lane < 4u { workgroupBarrier(); }
    }";
    let copied = "@group(0) @binding(0) var<uniform> params: vec4<u32>;
    var<private> p: vec4<u32>;
    @compute @workgroup_size(8) fn main() {
        p = params;
        for (var k = 0u; k < p.x; k++) { workgroupBarrier(); }
    }";
    let broadcast = "enable subgroups;
    @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) lane: u32) {
        if lane < 4u { _ = subgroupBroadcast(lane, 0u); }
    }";
    let lanes = "override WG: u32 = 8u; @compute @workgroup_size(WG) fn main() {}";
    [
        module("a barrier for some", barrier, "main", &[]),
        module("a barrier in a loop that ends at a private copy", copied, "main", &[]),
        module("a broadcast for some", broadcast, "main", &[]),
        module("more lanes than there may be", lanes, "main", &[("WG", 100_000.0)]),
    ]
}

/// A software adapter, so that the test is the same everywhere. Chromium offers one only with a flag that is unsafe for
/// untrusted pages; in WGSL the flag adds only `fragment_depth`, which compute shaders do not use.
const FLAGS: [&str; 3] = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--dump-dom"];
const LIMIT: Duration = Duration::from_secs(300);

/// Tint's errors for each of these modules; none if this Chromium does not offer WebGPU.
fn refusals(chromium: &Chromium, modules: &[Value]) -> Option<Vec<Value>> {
    let folder = folder();
    let page = folder.path().join("page.html");
    std::fs::write(&page, PAGE).unwrap();
    std::fs::write(folder.path().join("modules.js"), format!("const MODULES = {};", json!(modules))).unwrap();
    let (dom, log) = chromium.run(&page, LIMIT, &FLAGS.map(str::to_string));
    let body = dom.split_once("<body>").and_then(|(_, rest)| rest.split_once("</body>"));
    let answer: Option<Value> = body.and_then(|(body, _)| serde_json::from_str(body).ok());
    let mut answer = answer.unwrap_or_else(|| panic!("no answer within {LIMIT:?}: {dom:.400}: {log}"));
    if let Some(what) = answer["missing"].as_str() {
        skipped(&format!("no {what}; another Chromium, named in WGVAE_CHROMIUM, may have it"));
        return None;
    }
    let Value::Array(refusals) = answer["refusals"].take() else { panic!("{answer}: {log}") };
    assert_eq!(refusals.len(), modules.len());
    Some(refusals)
}

/// An error formatted for people.
fn described(module: &Value, refusal: &Value) -> String {
    let line = refusal["line"].as_u64().unwrap_or(0) as usize;
    let text = module["code"].as_str().and_then(|code| code.lines().nth(line.wrapping_sub(1))).unwrap_or("");
    format!("{}, line {line} `{}`: {}", module["name"], text.trim(), refusal["message"])
}

#[test]
fn chrome_accepts_every_variant() {
    let Some(chromium) = Chromium::find() else { return };
    let (faulty, modules) = (faulty(), modules());
    // The faulty modules come last, to prove that the device was not lost before: a lost device refuses nothing.
    let all = [modules.as_slice(), faulty.as_slice()].concat();
    let Some(refusals) = refusals(&chromium, &all) else { return };
    let (of_modules, of_faulty) = refusals.split_at(modules.len());
    for (module, refusal) in faulty.iter().zip(of_faulty) {
        assert!(!refusal.is_null(), "{} is accepted", module["name"]);
    }
    let refused: Vec<String> = modules
        .iter()
        .zip(of_modules)
        .filter(|(_, refusal)| !refusal.is_null())
        .map(|(module, refusal)| described(module, refusal))
        .collect();
    let some = refused[..refused.len().min(20)].join("\n");
    assert!(refused.is_empty(), "{} of {} are refused:\n{some}", refused.len(), modules.len());
}
