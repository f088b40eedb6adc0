// SPDX-License-Identifier: Apache-2.0

/// A document of JSON (and so of YAML) that tests make up, print and cut down.
indirect enum CaseNode {
    case object([(key: String, value: CaseNode)])
    case list([CaseNode])
    case text(String)
    case number(Int)
    case flag(Bool)

    var json: String {
        switch self {
        case .object(let members):
            "{" + members.map { "\"\($0.key)\": \($0.value.json)" }.joined(separator: ", ") + "}"
        case .list(let elements): "[" + elements.map(\.json).joined(separator: ", ") + "]"
        case .text(let text): "\"\(text)\""
        case .number(let number): "\(number)"
        case .flag(let flag): "\(flag)"
        }
    }

    /// Without its nth part, counted from the outside in: a member of an object or an element of a list, with all that
    /// is in it; nil if there are no more parts.
    func removing(part number: Int) -> CaseNode? {
        var left = number
        let copy = removing(&left)
        return left < 0 ? copy : nil
    }

    private func removing(_ left: inout Int) -> CaseNode {
        switch self {
        case .object(var members):
            for index in members.indices {
                left -= 1
                guard left >= 0 else {
                    members.remove(at: index)
                    return .object(members)
                }
            }
            for index in members.indices where left >= 0 { members[index].value = members[index].value.removing(&left) }
            return .object(members)
        case .list(var elements):
            for index in elements.indices {
                left -= 1
                guard left >= 0 else {
                    elements.remove(at: index)
                    return .list(elements)
                }
            }
            for index in elements.indices where left >= 0 { elements[index] = elements[index].removing(&left) }
            return .list(elements)
        case .text, .number, .flag: return self
        }
    }

    /// Cuts away part after part, as long as what is left still fails; asks at most `attempts` times.
    func shrunk(attempts: Int = 2000, while fails: (CaseNode) -> Bool) -> CaseNode {
        var best = self
        var left = attempts
        var hasShrunk = true
        while hasShrunk {
            hasShrunk = false
            var part = 0
            while let candidate = best.removing(part: part) {
                guard left > 0 else { return best }
                left -= 1
                if fails(candidate) {
                    best = candidate
                    hasShrunk = true
                } else {
                    part += 1
                }
            }
        }
        return best
    }
}

extension CaseNode: ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    init(stringLiteral value: String) { self = .text(value) }
    init(arrayLiteral elements: CaseNode...) { self = .list(elements) }
    init(dictionaryLiteral elements: (String, CaseNode)...) { self = .object(elements.map { (key: $0, value: $1) }) }
}
