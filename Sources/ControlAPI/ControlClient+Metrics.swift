// SPDX-License-Identifier: Apache-2.0

package import Metrics

extension ControlClient {
    /// The agent's metrics as a text.
    package func metrics(_ format: MetricFormat) async throws -> String {
        let name = format == .openMetrics ? "openmetrics" : "prometheus"
        return String(decoding: try await read(["metrics"], query: [("format", name)]), as: UTF8.self)
    }
}
