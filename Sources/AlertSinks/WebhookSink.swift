// SPDX-License-Identifier: Apache-2.0

/// Posts each notice as one JSON object.
package struct WebhookSink: AlertSink {
    package let place: HTTPPlace
    package let timeout: Duration

    package init(place: HTTPPlace, timeout: Duration = .seconds(10)) {
        self.place = place
        self.timeout = timeout
    }

    package func deliver(_ notices: [SinkNotice]) async -> SinkDelivery {
        for (index, notice) in notices.enumerated() {
            do throws(SinkError) {
                try await place.post(notice.line, path: place.path, timeout: timeout)
            } catch {
                return SinkDelivery(delivered: index, failure: error)
            }
        }
        return SinkDelivery(delivered: notices.count)
    }
}
