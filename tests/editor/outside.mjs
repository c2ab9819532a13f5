/** Everything outside of this machine. Requests to it are refused and recorded. */

import { createServer } from "node:http";

export class Outside {
  /** The requests, by a page or by a program that respects the proxy variables. */
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

  /** The variables that make programs use this proxy. */
  get environment() {
    const proxy = `http://127.0.0.1:${this.proxy.address().port}`;
    const here = "127.0.0.1,localhost";
    return { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, http_proxy: proxy, https_proxy: proxy, NO_PROXY: here, no_proxy: here, NODE_USE_ENV_PROXY: "1" };
  }

  /**
   * Watches the pages of a browser. Requests that a page's service worker answers don't count: a
   * webview has its files under a URL that looks like an external one. Neither do those that it
   * cancels because it is closed or reloaded.
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
