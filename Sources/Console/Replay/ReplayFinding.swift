// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import LinuxHost
import NetworkModel

/// A finding as `bulkhead replay -o json` prints it, one object a line; every key is there, without a value as null.
struct ReplayFinding: Encodable {
    /// RFC 3339 in UTC, of the capture's clock.
    let time: String
    let detector: String
    let severity: String
    /// An address, or a prefix where what shares a network is taken together; nil if nobody can be named.
    let source: String?
    let target: String?
    /// MITRE ATT&CK identifier.
    let technique: String
    /// Figures by name, with `summary`, `since`, and `port`, `protocol` where there is one.
    let evidence: [String: EvidenceText]

    private enum CodingKeys: CodingKey {
        case time, detector, severity, source, target, technique, evidence
    }

    init(_ finding: Finding) {
        time = Timestamp.text(nanoseconds: Int64(clamping: finding.time))
        detector = finding.detector
        severity = "\(finding.severity)"
        source = finding.sourceText
        target = finding.target.map { "\($0)" }
        technique = finding.technique
        var evidence: [String: EvidenceText] = [:]
        for item in finding.evidence { evidence[item.name] = EvidenceText(item.value) }
        evidence["summary"] = .text(finding.summary)
        evidence["since"] = .text(Timestamp.text(nanoseconds: Int64(clamping: finding.since)))
        if finding.port > 0 { evidence["port"] = .number(Double(finding.port)) }
        if let ipProtocol = finding.ipProtocol { evidence["protocol"] = .text("\(ipProtocol)") }
        if finding.isSourceForgeable { evidence["source_may_be_forged"] = .text("true") }
        self.evidence = evidence
    }

    /// Absent values are null, so that every line has the same keys.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(time, forKey: .time)
        try container.encode(detector, forKey: .detector)
        try container.encode(severity, forKey: .severity)
        try container.encode(source, forKey: .source)
        try container.encode(target, forKey: .target)
        try container.encode(technique, forKey: .technique)
        try container.encode(evidence, forKey: .evidence)
    }

    /// One line for people.
    static func line(_ finding: Finding) -> String {
        let time = Timestamp.text(nanoseconds: Int64(clamping: finding.time)).prefix(23) + "Z"
        let from = finding.sourceText ?? "many"
        let to = finding.target.map { "\($0)" } ?? "many"
        let port = finding.port > 0 ? " port \(finding.port)" : ""
        return
            "\(time)  \(finding.severity)  \(finding.detector)  \(from) -> \(to)\(port)  \(finding.technique)  "
            + finding.summary
    }
}

/// One figure of a finding as JSON.
enum EvidenceText: Encodable {
    case number(Double)
    case text(String)
    case list([String])
    case numbers([UInt16])

    init(_ value: Evidence.Value) {
        switch value {
        case .number(let number): self = .number(number)
        case .text(let text): self = .text(text)
        case .addresses(let addresses): self = .list(addresses.map { "\($0)" })
        case .ports(let ports): self = .numbers(ports)
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        // A count looks like one.
        case .number(let number):
            if let whole = Int64(exactly: number) {
                try container.encode(whole)
            } else {
                try container.encode(number)
            }
        case .text(let text): try container.encode(text)
        case .list(let list): try container.encode(list)
        case .numbers(let numbers): try container.encode(numbers)
        }
    }
}

extension Finding {
    /// The source as people write it.
    fileprivate var sourceText: String? {
        guard let source else { return nil }
        guard !source.isIPv4, (1..<128).contains(sourceLength) else { return "\(source)" }
        return "\(source)/\(sourceLength)"
    }
}
