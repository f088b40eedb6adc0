// SPDX-License-Identifier: Apache-2.0

package import AlertPipeline
import DetectionModel
import FoundationEssentials

/// Posts to the version 2 API of an Alertmanager, which forgets what is not said again: open alerts are, each interval.
package struct AlertmanagerSink: AlertSink {
    /// One member of the array that `POST /api/v2/alerts` takes.
    struct PostableAlert: Codable, Hashable {
        var labels: [String: String]
        var annotations: [String: String]
        var startsAt: String
        var endsAt: String
    }

    package let place: HTTPPlace
    package let host: String
    package let interval: Duration
    package let timeout: Duration
    /// RFC 3339 of now and so much later.
    private let timeAfter: @Sendable (Duration) -> String

    /// `timeAfter`: the wall clock and so much, as RFC 3339.
    package init(
        place: HTTPPlace, host: String, interval: Duration = .seconds(60), timeout: Duration = .seconds(10),
        timeAfter: @escaping @Sendable (Duration) -> String
    ) {
        self.place = place
        self.host = host
        self.interval = interval
        self.timeout = timeout
        self.timeAfter = timeAfter
    }

    package var refreshInterval: Duration? { interval }

    package func deliver(_ notices: [SinkNotice]) async -> SinkDelivery {
        do throws(SinkError) {
            try await post(notices.map(\.record.alert))
            return SinkDelivery(delivered: notices.count)
        } catch {
            // One that is refused must not take others along.
            if error.isRefusal && notices.count > 1 {
                let first = await deliver([notices[0]])
                guard first.delivered == 1 else { return first }
                let rest = await deliver(Array(notices.dropFirst()))
                return SinkDelivery(delivered: 1 + rest.delivered, failure: rest.failure)
            }
            return SinkDelivery(delivered: 0, failure: error)
        }
    }

    package func refresh(_ open: [AlertRecord]) async throws(SinkError) {
        var rest = open[...]
        while !rest.isEmpty {
            try await post(Array(rest.prefix(256)))
            rest = rest.dropFirst(256)
        }
    }

    private func post(_ alerts: [AlertRecord]) async throws(SinkError) {
        let body: [UInt8]
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            body = [UInt8](try encoder.encode(postable(alerts)))
        } catch {
            throw SinkError("\(error)", isRefusal: true)
        }
        let base = place.path.hasSuffix("/") ? String(place.path.dropLast()) : place.path
        try await place.post(body, path: base + "/api/v2/alerts", timeout: timeout)
    }

    /// The newest word about each alert; an Alertmanager tells alerts apart by their labels alone.
    func postable(_ alerts: [AlertRecord]) -> [PostableAlert] {
        var newest: [Int: PostableAlert] = [:]
        var order: [Int] = []
        for alert in alerts {
            if newest.updateValue(postable(alert), forKey: alert.id) == nil { order.append(alert.id) }
        }
        return order.compactMap { newest[$0] }
    }

    private func postable(_ alert: AlertRecord) -> PostableAlert {
        var labels = [
            "alertname": alert.detector, "alert": "\(alert.id)", "incident": "\(alert.incident)", "host": host,
            "severity": "\(alert.severity)", "technique": alert.technique,
        ]
        labels["source"] = alert.source
        labels["source_name"] = alert.sourceName
        labels["target"] = alert.target
        labels["target_name"] = alert.targetName
        labels["port"] = alert.port.map { "\($0)" }
        var annotations = ["summary": alert.summary, "evidence": AlertText.evidence(alert.evidence)]
        annotations["acknowledged_by"] = alert.state == .acknowledged ? alert.by ?? "somebody" : nil
        annotations["raised_because"] = alert.raisedBecause.isEmpty ? nil : alert.raisedBecause.joined(separator: "; ")
        // Open: until it was not said again three times.
        let end = alert.closedAt ?? timeAfter(interval * 4)
        return PostableAlert(
            labels: labels.filter { !$0.value.isEmpty }, annotations: annotations.filter { !$0.value.isEmpty },
            startsAt: alert.since, endsAt: max(end, alert.since))
    }
}
