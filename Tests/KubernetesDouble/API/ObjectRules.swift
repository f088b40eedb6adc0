// SPDX-License-Identifier: Apache-2.0

/// The checks that are the same for every kind: names and labels.
///
/// Schemas are not looked at.
enum ObjectRules {
    typealias Cause = (field: String, reason: String, message: String)

    static func check(_ object: JSON, of definition: ResourceDefinition, name: String) throws(APIError) {
        var causes: [Cause] = []
        let sentKind = object["kind"]?.text ?? definition.kind
        let sentGroup = (object["apiVersion"]?.text).map { $0.contains("/") ? String($0.prefix { $0 != "/" }) : "" }
        guard sentKind == definition.kind, sentGroup ?? definition.name.group == definition.name.group else {
            throw .badRequest(
                "\(sentKind) in version \"\(object["apiVersion"]?.text ?? "")\" cannot be handled as a \(definition.kind)"
            )
        }
        if name.isEmpty {
            causes.append(
                ("metadata.name", "FieldValueRequired", "Required value: name or generateName is required"))
        } else if !(definition.namesAreLabels ? isLabel(name[...]) : isSubdomain(name)) {
            let rule = definition.namesAreLabels ? "RFC 1123 label" : "RFC 1123 subdomain"
            causes.append(
                (
                    "metadata.name", "FieldValueInvalid",
                    "Invalid value: \"\(name)\": a lowercase \(rule) must consist of lower case alphanumeric characters"
                ))
        }
        for (key, value) in object["metadata", "labels"]?.members?.members ?? [] {
            guard let text = value.text else {
                throw .badRequest(
                    "json: cannot unmarshal into Go struct field ObjectMeta.metadata.labels of type string")
            }
            if !isQualifiedName(key) {
                causes.append(
                    (
                        "metadata.labels", "FieldValueInvalid",
                        "Invalid value: \"\(key)\": name part must consist of "
                            + "alphanumeric characters, '-', '_' or '.'"
                    ))
            }
            if !text.isEmpty, !isName(text[...]) {
                causes.append(
                    (
                        "metadata.labels", "FieldValueInvalid",
                        "Invalid value: \"\(text)\": a valid label must be an empty "
                            + "string or consist of alphanumeric characters, '-', '_' or '.'"
                    ))
            }
        }
        if !causes.isEmpty { throw .invalid(definition, name, causes: causes) }
    }

    private static func isLabel(_ text: Substring) -> Bool {
        (1...63).contains(text.utf8.count)
            && text.utf8.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
            && text.utf8.first != UInt8(ascii: "-") && text.utf8.last != UInt8(ascii: "-")
    }

    private static func isSubdomain(_ text: String) -> Bool {
        text.utf8.count <= 253
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
                isLabel(part) || part.utf8.count > 63 && isLabel(part.prefix(63)) && isLabel(part.suffix(63))
            }
    }

    private static func isQualifiedName(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return switch parts.count {
        case 1: isName(parts[0])
        case 2: isSubdomain(String(parts[0])) && isName(parts[1])
        default: false
        }
    }

    private static func isName(_ text: Substring) -> Bool {
        guard (1...63).contains(text.utf8.count), let first = text.utf8.first, let last = text.utf8.last else {
            return false
        }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && text.utf8.allSatisfy { isAlphanumeric($0) || Array("-_.".utf8).contains($0) }
    }

    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isLowerAlphanumeric(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }
}
