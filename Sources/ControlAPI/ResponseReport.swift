// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel
package import ResponseActions

/// `GET /v1/response`: what was done about attacks, or would have been.
package struct ResponseReport: Codable, Hashable, Sendable {
    /// Newest first.
    package var actions: [ResponseActionRecord]
    package var counters: ResponsePlan.Counters
    /// Of detectors without a rule: `off`, `dry-run`, `on`.
    package var mode: String
    package var problem: String?

    package init(
        actions: [ResponseActionRecord], counters: ResponsePlan.Counters, mode: String, problem: String? = nil
    ) {
        self.actions = actions
        self.counters = counters
        self.mode = mode
        self.problem = problem
    }
}

/// One action with its cause.
package struct ResponseActionRecord: Codable, Hashable, Sendable {
    package var id: Int
    /// `block`, `rate-limit`, `syn-defence` or `quarantine`.
    package var action: String
    /// An address or a prefix.
    package var subject: String
    /// The port that it is about, if it is about one.
    package var port: UInt16?
    package var state: ResponseRecord.State
    package var alert: Int
    package var detector: String
    package var severity: Severity
    package var cause: String
    /// RFC 3339.
    package var since: String
    package var until: String
    package var endedAt: String?
    package var repetition: Int
    package var problem: String?
    package var by: String?

    package init(_ record: ResponseRecord, time: (UInt64) -> String) {
        id = record.id
        action = record.action.kind.rawValue
        let subject = record.action.subject
        self.subject = subject.length == (subject.isIPv4 ? 32 : 128) ? "\(subject.address)" : "\(subject)"
        port = record.action.port
        state = record.state
        alert = record.alert
        detector = record.detector
        severity = record.severity
        cause = record.cause
        since = time(record.since)
        until = time(record.until)
        endedAt = record.endedAt.map(time)
        repetition = record.repetition
        problem = record.problem
        by = record.by
    }
}

/// Body of `POST /v1/response/undo`.
package struct UndoRequest: Codable, Hashable, Sendable {
    package var actions: [Int]
    /// Everything that is in force.
    package var all: Bool?

    package init(actions: [Int], all: Bool? = nil) {
        self.actions = actions
        self.all = all
    }
}
