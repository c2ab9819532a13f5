/** Everything that is not this machine. Who asks for it is refused, and remembered. */

import { createServer } from "node:http";

export class Outside {
  /** What was asked for, by a page or by a program that honours the variables of a proxy. */
  requests = [];

  static async start() {
    const outside = new Outside();
    outside.proxy = createServer((request, response) => {
      outside.requests.push(request.url);
      response.writeHead(403).end();
    });
    outside.proxy.on("connect", (request, socket) => {
      outside.requests.push(request.url);
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    });
    await new Promise((resolve) => outside.proxy.listen(0, "127.0.0.1", resolve));
    return outside;
  }

  /** Has programs come here on their way out. */
  get environment() {
    const proxy = `http://127.0.0.1:${this.proxy.address().port}`;
    const here = "127.0.0.1,localhost";
    return { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, http_proxy: proxy, https_proxy: proxy, NO_PROXY: here, no_proxy: here, NODE_USE_ENV_PROXY: "1" };
  }

  /**
   * Watches the pages of a browser. What a page's own service worker answers goes nowhere: a webview has its files under an
   * address that looks like one of the net. Nor does what it gives up because it is closed or shown anew.
   */
  watch(browser) {
    const note = (asked, failure = "") => {
      const { protocol, hostname } = new URL(asked.url());
      if (/^(https?|wss?):$/.test(protocol) && hostname !== "127.0.0.1") this.requests.push(`${asked.url()} ${failure}`.trim());
    };
    browser.on("requestfailed", (request) => {
      const failure = request.failure()?.errorText;
      if (!(isOfWebview(request) && failure === "net::ERR_ABORTED")) note(request, failure);
    });
    browser.on("response", (response) => response.fromServiceWorker() || note(response));
    browser.on("page", (page) => page.on("websocket", note));
  }

  async stop() {
    this.proxy.closeAllConnections();
    await new Promise((resolve) => this.proxy.close(resolve));
  }
}

function isOfWebview(request) {
  return new URL(request.url()).hostname.endsWith(".vscode-resource.vscode-cdn.net");
}
