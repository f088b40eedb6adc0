// SPDX-License-Identifier: Apache-2.0

package import AlertPipeline

/// A place that alerts are told to.
package protocol AlertSink: Sendable {
    /// Hands notices over, oldest first, until all are delivered or one is not.
    ///
    /// May be told a notice twice, after a crash or a timeout; returns within a time of its own.
    func deliver(_ notices: [SinkNotice]) async -> SinkDelivery

    /// Says again what is open, for receivers that forget; called each `refreshInterval`.
    func refresh(_ open: [AlertRecord]) async throws(SinkError)

    /// Nil: the receiver forgets nothing.
    var refreshInterval: Duration? { get }
}

extension AlertSink {
    package func refresh(_ open: [AlertRecord]) async throws(SinkError) {}
    package var refreshInterval: Duration? { nil }
}

/// A notice as it lies in the spool.
package struct SinkNotice: Hashable, Sendable {
    /// One line of JSON without its newline.
    package var line: [UInt8]
    package var record: AlertNoticeRecord

    package init(line: [UInt8], record: AlertNoticeRecord) {
        self.line = line
        self.record = record
    }
}

/// How a delivery went.
package struct SinkDelivery: Sendable {
    /// So many from the first on are delivered.
    package var delivered: Int
    /// What befell the one behind them; nil if there is none.
    package var failure: SinkError?

    package init(delivered: Int, failure: SinkError? = nil) {
        self.delivered = delivered
        self.failure = failure
    }
}

/// Why a sink did not take a notice.
package struct SinkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Object, cause, remedy.
    package var description: String
    /// True if the receiver will never take this notice: it is passed over and counted.
    package var isRefusal: Bool

    package init(_ description: String, isRefusal: Bool = false) {
        self.description = description
        self.isRefusal = isRefusal
    }
}
