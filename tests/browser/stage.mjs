// A browser, people in it, and what watches them: nothing may break the content security policy,
// write an error, ask another host, or show a secret.
import { chromium } from "playwright-core";
import axe from "axe-core";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** How long anything may take that should happen at once: generous, for slow machines. */
export const PATIENCE_MS = 30_000;

export class Stage {
  constructor(set) {
    this.set = set;
    this.faults = [];
  }

  async open() {
    await mkdir(this.set.shots, { recursive: true });
    this.browser = await chromium.launch({ executablePath: this.set.chromium, args: FLAGS });
  }

  async close() {
    await this.browser.close();
  }

  fault(where, what) {
    this.faults.push(`${where}: ${what}`);
  }

  scan(where, text) {
    for (const secret of this.set.canaries) {
      if (text.includes(secret)) this.fault(where, `shows the secret ${secret.slice(0, 6)}…`);
    }
  }

  /** A person with a fresh browser. */
  async person({ scheme = "light", width = 1440, height = 900 } = {}) {
    const context = await this.browser.newContext({
      viewport: { width, height }, colorScheme: scheme, acceptDownloads: true, timezoneId: "Europe/Zurich", locale: "en-GB", reducedMotion: "reduce",
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    await page.exposeFunction("egretViolation", (what) => this.fault("content security policy", what));
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) =>
        window.egretViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
    });
    page.on("pageerror", (error) => this.fault("script", error.stack));
    page.on("console", (message) => {
      // Browsers write a line for each answer of 4xx. Those are looked at as answers, below.
      if (["error", "warning"].includes(message.type()) && !message.text().startsWith("Failed to load resource")) this.fault("console", message.text());
    });
    page.allowed = new Set();
    page.on("response", (answer) => this.answered(page, answer));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${this.set.admin}/`) && !/^(data|blob):/.test(url)) this.fault("network", `asks ${url}`);
      this.scan(`the address ${url.slice(0, 60)}`, decodeURIComponent(url));
    });
    return page;
  }

  async answered(page, answer) {
    const path = new URL(answer.url()).pathname;
    const status = answer.status();
    const isExpected = status < 400 || page.allowed.has(`${status} ${path}`) || (status === 401 && path === "/api/v1/me");
    if (!isExpected) this.fault("answer", `${status} of ${answer.request().method()} ${path}`);
    if (!(answer.headers()["content-security-policy"] ?? "").includes("default-src 'none'")) this.fault(path, "has no content security policy");
    if (path === "/api/v1/tail" || answer.headers()["content-disposition"]) return;
    const text = await answer.text().catch(() => "");
    this.scan(`the answer of ${path}`, text);
  }

  async signIn(page, key) {
    await page.goto(`${this.set.admin}/`);
    await page.getByLabel("Admin key").fill(key);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Now" }).waitFor();
  }

  /** Goes to a page by its address and waits until nothing loads any more. */
  async visit(page, path, heading) {
    await page.goto(this.set.admin + path);
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    await this.quiet(page);
  }

  async quiet(page) {
    await page.waitForFunction(() => document.querySelectorAll(".skeleton, [aria-busy=true]").length === 0);
  }

  async shot(page, name) {
    await this.quiet(page);
    await page.screenshot({ path: join(this.set.shots, `${name}.png`) });
    await this.read(page, name);
  }

  /** Looks for secrets in what the page says and holds. */
  async read(page, where) {
    const text = await page.evaluate(() => [
      document.documentElement.innerHTML, location.href, document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage),
      ...[...document.querySelectorAll("input, textarea")].map((field) => field.value),
    ].join("\n"));
    this.scan(where, text);
  }

  /** What a program for accessibility has to say. */
  async accessible(page, where) {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
    for (const one of violations) this.fault(`${where}, ${one.id}`, `${one.help}: ${one.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any.map((check) => check.message).join(" ").slice(0, 200)}`).join(" | ")}`);
  }
}

export function check(condition, what) {
  if (!condition) throw new Error(what);
}

export async function same(found, wanted, what) {
  check(JSON.stringify(found) === JSON.stringify(wanted), `${what}: ${JSON.stringify(wanted)} wanted, ${JSON.stringify(found)} found`);
}

/** Asks until it is so. */
export async function until(what, ask) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    if (await ask()) return;
    check(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** What a download holds. */
export async function saved(page, act) {
  const [download] = await Promise.all([page.waitForEvent("download"), act()]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  return { name: download.suggestedFilename(), bytes: Buffer.concat(chunks) };
}
