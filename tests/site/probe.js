/* Loads each page of PAGES in a frame as narrow as a phone, and writes what it finds to #found, as
   JSON. AXE is the address of axe-core. test_site.py makes the page that runs this. */
"use strict";

const WIDTH = 400; // pixels

function load(element, parent) {
  return new Promise((resolve, reject) => {
    element.onload = resolve;
    element.onerror = () => reject(new Error("cannot load " + element.src));
    parent.append(element);
  });
}

function frameOf(page) {
  const frame = document.createElement("iframe");
  frame.src = page;
  frame.width = WIDTH;
  frame.height = 800;
  frame.style.border = "0";
  return frame;
}

async function violations(frame) {
  const script = frame.contentDocument.createElement("script");
  script.src = AXE;
  await load(script, frame.contentDocument.head);
  // Of pdoc's pages only the colours are ours.
  const answer = await frame.contentWindow.axe.run(frame.contentDocument, {
    runOnly: frame.src.includes("/docs/python/") ? ["color-contrast"] : RULES,
    resultTypes: ["violations"],
  });
  return answer.violations.flatMap((rule) =>
    rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 120)} ${node.failureSummary}`),
  );
}

/* What the key `/` moves to. */
function focused(frame) {
  const inside = frame.contentDocument;
  inside.dispatchEvent(new KeyboardEvent("keydown", { key: "/", bubbles: true }));
  return inside.activeElement?.id ?? "";
}

async function probe(page) {
  const frame = frameOf(page);
  await load(frame, document.body);
  const inside = frame.contentDocument;
  const found = {
    page,
    width: inside.documentElement.scrollWidth,
    dark: frame.contentWindow.matchMedia("(prefers-color-scheme: dark)").matches,
    links: [...inside.querySelectorAll("[href], [src]")].map((element) => element.href || element.src),
    anchors: [...inside.querySelectorAll("[id], a[name]")].map((element) => element.id || element.name),
    first: inside.querySelector("a[href], input, button, [tabindex='0']")?.className ?? "",
    violations: await violations(frame),
    focused: focused(frame),
  };
  frame.remove();
  return found;
}

async function main() {
  const found = [];
  for (const page of PAGES) found.push(await probe(page));
  document.getElementById("found").textContent = JSON.stringify(found);
}

main().catch((error) => console.error(String(error)));
