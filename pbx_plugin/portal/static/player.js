// The player of a recording's page: both sides at once, each of which can be silenced. The page works without it, but
// plays nothing.

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
const HEIGHT = 72;

const clock = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, place) => (place ? String(part).padStart(2, "0") : String(part))).join(":");
};

class Player {
  constructor(root) {
    this.root = root;
    this.sound = root.querySelector("#sound");
    this.length = Number(root.dataset.length) / 1000;
    this.user = Number(root.dataset.user);
    this.position = root.querySelector("#position");
    this.elapsed = root.querySelector("#elapsed");
    this.trouble = root.querySelector("#trouble");
    this.gains = null;
    this.silenced = [false, false];
    this.sound.src = root.dataset.audio;
    this.sound.preservesPitch = true;
    // Where to begin, as long as nothing has been fetched: opening the page is not listening.
    this.start = 0;
    this.listen();
    this.draw();
    this.showMarkers();
    this.fromAddress();
  }

  get time() { return this.sound.readyState ? this.sound.currentTime : this.start; }

  // ---- what one does

  async play() {
    this.trouble.hidden = true;
    try {
      this.connect();
      if (this.context.state === "suspended") await this.context.resume();
      await this.sound.play();
    } catch (error) {
      if (error.name !== "AbortError") this.explain();
    }
  }

  toggle() { if (this.sound.paused) this.play(); else this.sound.pause(); }

  stop() { this.sound.pause(); this.seek(0); }

  seek(seconds) {
    const at = Math.min(Math.max(0, seconds), this.length);
    this.start = at;
    if (this.sound.readyState) this.sound.currentTime = at;
    this.show();
    this.toAddress();
  }

  move(seconds) { this.seek(this.time + seconds); }

  mute() { this.sound.muted = !this.sound.muted; }

  silence(side) {
    this.silenced[side] = !this.silenced[side];
    if (this.gains) this.gains[side].gain.value = this.silenced[side] ? 0 : 1;
    this.root.querySelectorAll(`[data-side="${side}"]`).forEach((button) => button.setAttribute("aria-pressed", String(this.silenced[side])));
    this.root.querySelector(".rec-wave").classList.toggle(`rec-silent-${side}`, this.silenced[side]);
  }

  speed(rate) {
    this.sound.playbackRate = rate;
    this.sound.defaultPlaybackRate = rate;
    this.root.querySelector("#speed").value = String(rate);
  }

  faster(by) {
    const place = SPEEDS.indexOf(this.sound.playbackRate);
    this.speed(SPEEDS[Math.min(Math.max(0, (place < 0 ? 2 : place) + by), SPEEDS.length - 1)]);
  }

  // ---- how it is wired

  connect() {
    if (this.context) return;
    // Only now: browsers let sound begin at somebody's wish and not before.
    this.context = new AudioContext();
    const source = this.context.createMediaElementSource(this.sound);
    const splitter = this.context.createChannelSplitter(2);
    const merger = this.context.createChannelMerger(2);
    source.connect(splitter);
    this.gains = [0, 1].map((side) => {
      const gain = this.context.createGain();
      gain.gain.value = this.silenced[side] ? 0 : 1;
      splitter.connect(gain, side);
      gain.connect(merger, 0, side);
      return gain;
    });
    merger.connect(this.context.destination);
    this.output = merger;
  }

  listen() {
    const deeds = {
      play: () => this.toggle(), stop: () => this.stop(), mute: () => this.mute(),
      back5: () => this.move(-5), back15: () => this.move(-15), on5: () => this.move(5), on15: () => this.move(15),
      side0: () => this.silence(0), side1: () => this.silence(1),
    };
    this.root.querySelectorAll("[data-do]").forEach((button) => button.addEventListener("click", deeds[button.dataset.do]));
    this.position.addEventListener("input", () => this.seek(Number(this.position.value)));
    this.root.querySelector("#volume").addEventListener("input", (event) => { this.sound.volume = Number(event.target.value); });
    this.root.querySelector("#speed").addEventListener("change", (event) => this.speed(Number(event.target.value)));
    for (const name of ["timeupdate", "seeked"]) this.sound.addEventListener(name, () => this.show());
    for (const name of ["play", "pause", "ended", "volumechange"]) this.sound.addEventListener(name, () => this.showState());
    this.sound.addEventListener("pause", () => this.toAddress());
    this.sound.addEventListener("playing", () => document.body.dispatchEvent(new CustomEvent("worked")), { once: true });
    this.sound.addEventListener("loadedmetadata", () => { if (this.start) this.sound.currentTime = this.start; });
    this.sound.addEventListener("error", () => this.explain());
    window.addEventListener("hashchange", () => this.fromAddress());
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("click", (event) => {
      const place = event.target.closest("[data-seek]");
      if (place) this.seek(Number(place.dataset.seek) / 1000);
    });
    // Notes come anew after each change.
    document.body.addEventListener("htmx:afterSettle", () => { this.showMarkers(); this.show(); });
    document.body.addEventListener("htmx:configRequest", (event) => this.place(event));
    document.addEventListener("portal:theme", () => this.colour());
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const at = event.target;
    const typing = at.closest("textarea, select, input:not([type=range]):not([type=radio]):not([type=checkbox])");
    const own = at.closest("input[type=range], input[type=radio]") && event.key.startsWith("Arrow");
    if (typing || own || (event.key === " " && at.closest("button, a, summary, input"))) return;
    const far = event.shiftKey ? 15 : 5;
    const deeds = {
      " ": () => this.toggle(), arrowleft: () => this.move(-far), arrowright: () => this.move(far),
      m: () => this.mute(), s: () => this.stop(), 1: () => this.silence(0), 2: () => this.silence(1),
      "<": () => this.faster(-1), ">": () => this.faster(1), n: () => document.querySelector("#note")?.focus(),
    };
    const deed = deeds[event.key.toLowerCase()];
    if (!deed) return;
    event.preventDefault();
    deed();
  }

  fromAddress() {
    const found = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
    if (found) this.seek(Number(found[1]));
  }

  toAddress() {
    const at = this.time;
    history.replaceState(null, "", at > 0.05 ? `#t=${at.toFixed(1)}` : location.pathname + location.search);
  }

  place(event) {
    // A new note is about where the player stands, unless its writer says otherwise.
    const form = event.detail.elt.closest?.("#notes form.card-footer");
    if (form) event.detail.parameters.set("at", form.querySelector("#note-here").checked ? this.time.toFixed(3) : "");
  }

  // ---- what one sees

  async draw() {
    const answer = await fetch(this.root.dataset.peaks).catch(() => null);
    const picture = answer && answer.ok ? await answer.json() : { data: [0, 0, 0, 0] };
    const scale = 128;
    // wavesurfer draws what it is given as one row of highest and lowest in turn.
    const side = (channel) => picture.data.filter((_, place) => (place >> 1) % 2 === channel).map((value) => value / scale);
    const silent = document.createElement("audio");
    this.wave = WaveSurfer.create({
      container: this.root.querySelector("#wave"), peaks: [side(0), side(1)], duration: this.length, media: silent,
      cspNonce: document.body.dataset.nonce, height: HEIGHT, normalize: false, barHeight: 1.1, cursorWidth: 2,
      interact: false, hideScrollbar: true, ...this.colours(),
    });
    this.root.querySelector("#wave").addEventListener("click", (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      this.seek(((event.clientX - box.left) / box.width) * this.length);
    });
    this.wave.on("ready", () => this.show());
    this.root.dataset.drawn = "yes";
    this.show();
  }

  colours() {
    const style = getComputedStyle(this.root);
    const of = (side) => style.getPropertyValue(side === this.user ? "--rec-user" : "--rec-other").trim();
    const before = (colour) => `color-mix(in srgb, ${colour} 45%, ${style.getPropertyValue("--rec-ground").trim()})`;
    const cursor = style.getPropertyValue("--rec-cursor").trim();
    const resolved = (colour) => {
      const probe = document.createElement("span");
      probe.style.color = colour;
      this.root.append(probe);
      const found = getComputedStyle(probe).color;
      probe.remove();
      return found;
    };
    const channels = [0, 1].map((side) => ({
      waveColor: resolved(before(of(side))), progressColor: resolved(of(side)), cursorColor: resolved(cursor), overlay: false,
    }));
    return { splitChannels: channels, cursorColor: resolved(cursor) };
  }

  colour() { this.wave?.setOptions(this.colours()); }

  show() {
    const at = this.time;
    this.position.value = String(at);
    this.position.setAttribute("aria-valuetext", clock(at));
    this.elapsed.textContent = clock(at);
    const place = document.querySelector("[data-note-place]");
    if (place) place.textContent = clock(at);
    if (this.wave) this.wave.setTime(at);
  }

  showState() {
    const on = (name, pressed) => this.root.querySelector(`[data-do="${name}"]`).setAttribute("aria-pressed", String(pressed));
    on("play", !this.sound.paused);
    on("mute", this.sound.muted);
    this.show();
  }

  showMarkers() {
    const layer = this.root.querySelector("#markers");
    layer.replaceChildren();
    const words = [...this.root.querySelectorAll(".rec-marker-words span")];
    const told = JSON.parse(this.root.dataset.markers).map((marker, place) => ({ ...marker, text: words[place]?.textContent || marker.what }));
    document.querySelectorAll("#notes [data-at]").forEach((note) => {
      const text = note.querySelector(".rec-note-text").textContent;
      told.push({ at: Number(note.dataset.at), what: "note", text: text.length > 80 ? `${text.slice(0, 80)}…` : text });
    });
    for (const marker of told) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = `rec-marker rec-marker-${marker.what}`;
      button.dataset.seek = marker.at;
      button.style.left = `${Math.min(100, (marker.at / 1000 / this.length) * 100)}%`;
      button.title = `${clock(marker.at / 1000)} ${marker.text}`;
      button.setAttribute("aria-label", button.title);
      layer.append(button);
    }
  }

  async explain() {
    const answer = await fetch(this.root.dataset.audio, { headers: { Range: "bytes=0-0" } }).catch(() => null);
    const words = { 429: "wordBusy", 404: "wordGone", 401: "wordOut" };
    this.trouble.textContent = this.root.dataset[words[answer?.status] || "wordAway"];
    this.trouble.hidden = false;
    this.showState();
  }
}

const root = document.querySelector("#player");
if (root) root.player = new Player(root);
