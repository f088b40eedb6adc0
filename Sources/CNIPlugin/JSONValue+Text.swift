// SPDX-License-Identifier: Apache-2.0

extension JSONValue {
    /// One line.
    package var text: String {
        var out = ""
        write(to: &out, indentation: nil)
        return out
    }

    /// As people keep files: two spaces a level, a newline at the end.
    package var fileText: String {
        var out = ""
        write(to: &out, indentation: 0)
        return out + "\n"
    }

    /// `indentation`: levels so far; nil: everything in one line.
    private func write(to out: inout String, indentation: Int?) {
        switch self {
        case .null: out += "null"
        case .boolean(let value): out += value ? "true" : "false"
        case .number(let text): out += text
        case .string(let text): Self.quote(text, to: &out)
        case .array(let values):
            Self.list(values, "[", "]", to: &out, indentation) { $0.write(to: &$1, indentation: $2) }
        case .object(let object):
            Self.list(object.members, "{", "}", to: &out, indentation) { member, out, inner in
                Self.quote(member.key, to: &out)
                out += indentation == nil ? ":" : ": "
                member.value.write(to: &out, indentation: inner)
            }
        }
    }

    private static func list<Element>(
        _ elements: [Element], _ open: String, _ close: String, to out: inout String, _ indentation: Int?,
        _ write: (Element, inout String, Int?) -> Void
    ) {
        out += open
        let inner = indentation.map { $0 + 1 }
        for (place, element) in elements.enumerated() {
            if place > 0 { out += "," }
            if let inner { out += "\n" + String(repeating: "  ", count: inner) }
            write(element, &out, inner)
        }
        if let indentation, !elements.isEmpty { out += "\n" + String(repeating: "  ", count: indentation) }
        out += close
    }

    private static func quote(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}
