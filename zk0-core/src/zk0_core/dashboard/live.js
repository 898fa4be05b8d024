// Asks how the run stands, and takes the page anew when there is more to see.
const EVERY_MS = 2000;
let version = document.body.dataset.version;

function openParts() {
  return [...document.querySelectorAll("details[open] > summary")].map((part) => part.textContent);
}

async function renew() {
  const text = await (await fetch(".")).text();
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const open = new Set(openParts());
  for (const part of ["header", "main"]) {
    document.querySelector(part).replaceWith(document.adoptNode(fresh.querySelector(part)));
  }
  for (const summary of document.querySelectorAll("details > summary")) {
    summary.parentElement.open = open.has(summary.textContent);
  }
  version = fresh.body.dataset.version;
  document.title = fresh.title;
  prepare();
}

function playing() {
  return [...document.querySelectorAll("video")].some((video) => !video.paused && !video.ended);
}

async function look() {
  const standing = document.getElementById("standing");
  try {
    const state = await (await fetch("state")).json();
    standing.textContent = state.text;
    document.getElementById("log").textContent = state.log;
    // A video that somebody watches is not taken away.
    if (state.version !== version && !playing()) {
      await renew();
    }
  } catch {
    standing.textContent = "the dashboard has ended";
  }
  setTimeout(look, EVERY_MS);
}

setTimeout(look, EVERY_MS);
