// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// What a detector says: who does what to whom, and how that is known.
///
/// A detector says it once when it becomes sure, and again, with the same key, while it goes on: each time the evidence
/// has doubled, or after a minute. The alert pipeline makes one alert of all of these.
package struct Finding: Hashable, Sendable {
    /// Nanoseconds of the detectors' clock: CLOCK_MONOTONIC of the host, or the capture's time since 1970.
    package var time: UInt64
    /// Since when, on the same clock.
    package var since: UInt64
    /// The detector's name, such as `syn-flood`; also the name of its page.
    package var detector: String
    package var severity: Severity
    /// Who does it; nil if nobody can be named, as with forged sources.
    ///
    /// IPv6: an address, or with `sourceLength` a prefix.
    package var source: IPAddress?
    /// Significant bits of `source`: 32 or 128 for one address, 64 for what shares an IPv6 network.
    package var sourceLength: UInt8
    /// To whom it is done; nil if it is done to many.
    package var target: IPAddress?
    /// The port in question, host order; 0 if there is none or more than one.
    package var port: UInt16
    package var ipProtocol: IPProtocol?
    /// True if source addresses may be forged: nothing may be done to `source` then.
    package var isSourceForgeable: Bool
    /// True if the source has shown that answers reach it, by a handshake, or is one of ours: only such a one is ever cut off.
    package var isSourceProven: Bool
    /// MITRE ATT&CK identifier, such as `T1046`.
    package var technique: String
    /// One sentence for people.
    package var summary: String
    /// Figures that led to it, in the order in which they are to be read.
    package var evidence: [Evidence]

    /// A finding without the optional parts.
    package init(
        time: UInt64, since: UInt64, detector: String, severity: Severity, technique: String, summary: String,
        evidence: [Evidence] = []
    ) {
        self.time = time
        self.since = since
        self.detector = detector
        self.severity = severity
        self.technique = technique
        self.summary = summary
        self.evidence = evidence
        self.sourceLength = 0
        self.port = 0
        self.isSourceForgeable = false
        self.isSourceProven = false
    }
}

/// One figure or fact behind a finding.
package struct Evidence: Hashable, Sendable {
    /// What is meant, with its unit last: `distinct_ports`, `packets_per_second`.
    package var name: String
    package var value: Value

    package enum Value: Hashable, Sendable {
        case number(Double)
        case text(String)
        case addresses([IPAddress])
        case ports([UInt16])
    }

    package init(_ name: String, _ value: Value) {
        self.name = name
        self.value = value
    }
}

extension Finding {
    /// What makes two findings one alert: the detector and whom it names.
    package struct Key: Hashable, Sendable {
        package var detector: String
        package var source: IPAddress?
        package var target: IPAddress?
        package var port: UInt16

        package init(detector: String, source: IPAddress?, target: IPAddress?, port: UInt16) {
            self.detector = detector
            self.source = source
            self.target = target
            self.port = port
        }
    }

    package var key: Key { Key(detector: detector, source: source, target: target, port: port) }
}
