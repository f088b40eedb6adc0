// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import PolicyReading

/// Policies by what holds them: a file, an object of a cluster.
///
/// A unit is taken whole or not at all: one with an error, or with a policy that another unit has, keeps what it held when
/// it was last right. What changes comes out as references, so that everything behind it looks at these policies and no
/// others.
struct PolicyUnits: Sendable {
    /// What is found where a unit was.
    enum Finding {
        case gone
        case text([UInt8])
        /// The reason; what it held before stays in force.
        case unreadable(String)
    }

    private struct Unit: Sendable {
        /// Of the content in force.
        var fingerprint: ContentFingerprint?
        /// The policies in force.
        var references: [PolicyReference] = []
    }

    /// Why a unit's present content is not in force.
    struct Fault: Sendable {
        /// In lines, as a compiler prints it.
        var text: String
        /// In one line, without the place in the text: for those who do not have it before them.
        var summary: String

        init(_ reason: String) { (text, summary) = (reason, reason) }

        init(_ diagnostics: [Diagnostic]) {
            text = diagnostics.map(\.rendered).joined(separator: "\n")
            summary = diagnostics.first.map(\.withoutPlace) ?? ""
            if diagnostics.count > 1 { summary += ", and \(diagnostics.count - 1) more" }
        }
    }

    /// What a unit is to hold; without fingerprint it is gone.
    private struct Content: Sendable {
        var fingerprint: ContentFingerprint?
        var policies: [Policy] = []
    }

    private let reader: PolicyReader
    private var units: [String: Unit] = [:]
    /// By unit.
    private(set) var faults: [String: Fault] = [:]
    private var definitions = PolicyDefinitions()
    /// What only policies of other units keep out.
    private var waiting: [String: Content] = [:]

    init(reader: PolicyReader) { self.reader = reader }

    /// Takes over what units hold now, all together, so that a policy may move from one to another.
    ///
    /// `find`: asked once for each; what is found as it is in force is not read again. `file`: what diagnostics call a unit.
    /// Returns the references of policies that are new, other than before, or gone.
    mutating func update(
        _ names: Set<String>, file: (String) -> String, find: (String) -> Finding
    ) -> Set<PolicyReference> {
        var news = waiting
        for name in names {
            news[name] = nil
            if let content = content(of: name, find(name), file) { news[name] = content }
        }
        waiting = [:]
        for (name, diagnostics) in definitions.conflicts(news.mapValues(\.policies)) {
            waiting[name] = news.removeValue(forKey: name)
            if units[name] == nil { units[name] = Unit() }
            faults[name] = Fault(diagnostics)
        }
        let held = news.keys.reduce(into: [:]) { $0[$1] = units[$1]?.references }
        let touched = definitions.replace(held, with: news.mapValues(\.policies))
        for (name, content) in news {
            faults[name] = nil
            units[name] = content.fingerprint.map {
                Unit(fingerprint: $0, references: content.policies.map(\.reference))
            }
        }
        return touched
    }

    /// What a unit is to hold; nil if that is what is in force, or if it is wrong, which is noted.
    private mutating func content(of name: String, _ finding: Finding, _ file: (String) -> String) -> Content? {
        let unit = units[name] ?? Unit()
        switch finding {
        case .gone: return Content()
        case .unreadable(let reason): faults[name] = Fault("\(reason); what it held before stays in force")
        case .text(let bytes):
            let fingerprint = ContentFingerprint(bytes)
            if fingerprint == unit.fingerprint && faults[name] == nil { return nil }
            let result = reader.read(bytes: bytes, file: file(name))
            guard result.hasErrors else { return Content(fingerprint: fingerprint, policies: result.policies) }
            faults[name] = Fault(result.diagnostics.filter { $0.severity == .error })
        }
        units[name] = unit
        return nil
    }

    subscript(reference: PolicyReference) -> Policy? { definitions[reference] }

    var references: some Collection<PolicyReference> { definitions.references }

    /// The unit that holds a policy.
    func unit(of reference: PolicyReference) -> String? { definitions.holder(of: reference) }

    /// What a unit holds in force.
    func references(in unit: String) -> [PolicyReference] { units[unit]?.references ?? [] }

    /// True if a unit has this text, and it is what is in force.
    func holds(_ unit: String, _ text: [UInt8]) -> Bool {
        guard let held = units[unit] else { return false }
        return faults[unit] == nil && held.fingerprint == ContentFingerprint(text)
    }

    /// Of policies in force.
    var count: Int { definitions.count }

    /// Of the units that hold something or are wrong.
    var names: some Collection<String> { units.keys }

    /// Of the units whose content is in force.
    var fingerprints: [String: ContentFingerprint] { units.compactMapValues(\.fingerprint) }

    /// Why what units hold now is not in force, by unit.
    var problems: [String: String] { faults.mapValues(\.text) }
}

/// Tells whether a text is the one that was read before, without keeping it.
///
/// The hash is keyed anew in every process.
struct ContentFingerprint: Equatable, Sendable {
    private let byteCount: Int
    private let hash: Int

    init(_ bytes: [UInt8]) {
        byteCount = bytes.count
        hash = bytes.hashValue
    }
}
