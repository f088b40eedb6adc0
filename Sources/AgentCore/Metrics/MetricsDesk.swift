// SPDX-License-Identifier: Apache-2.0

import LocalHTTP
import Logging
import Metrics

/// Answers those who scrape over the network: one path, one method, nothing before the credential.
struct MetricsDesk: Sendable {
    let token: BearerToken?
    let text: @Sendable (MetricFormat) async -> [UInt8]

    func answer(_ request: LocalRequest) async -> LocalResponse {
        if let token, !token.admits(request.header("Authorization")) {
            return .text(
                401, "show the token of metrics.tokenFile: Authorization: Bearer …",
                headers: [("WWW-Authenticate", "Bearer realm=\"bulkhead\"")])
        }
        guard request.target.split(separator: "?", maxSplits: 1).first == "/metrics" else {
            return .text(404, "only /metrics is here")
        }
        guard request.method == "GET" else { return .text(405, "only GET is answered", headers: [("Allow", "GET")]) }
        let format = MetricFormat(accept: request.header("Accept") ?? "")
        return LocalResponse(status: 200, contentType: format.contentType, body: .bytes(await text(format)))
    }
}

extension Agent {
    /// Listens where the configuration says; nil if nowhere.
    ///
    /// A port that cannot be had keeps nobody from enforcing.
    func bindMetrics(_ state: AgentState) async -> NetworkHTTPServer? {
        guard let address = configuration.metrics.listen else { return nil }
        let desk = MetricsDesk(token: configuration.metrics.token) { await state.metrics($0) }
        do {
            let server = try await NetworkHTTPServer.bind(host: "\(address.host)", port: Int(address.port)) {
                await desk.answer($0)
            }
            logger.notice("metrics", metadata: ["listen": "\(address)"])
            return server
        } catch {
            await state.report(
                "metrics", "nobody can scrape on \(address): \(error); free the port or change `metrics.listen`")
            return nil
        }
    }
}
