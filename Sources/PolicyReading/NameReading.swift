// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Reads DNS names and patterns of names.
enum NameReading {
    /// One name; nil after an error.
    static func name(_ field: Field) -> NameSelector? {
        guard let text = field.string() else { return nil }
        guard let name = DomainName(text) else {
            let hasStar = text.contains("*")
            field.error(
                .invalidDomainName, "\(field.quoted) is not a DNS name",
                remedy: hasStar
                    ? "write it as matchPattern" : "write one like www.example.org: letters, digits, `-`, `_`, dots")
            return nil
        }
        return NameSelector(.exact, name)
    }

    /// A pattern in Cilium's language: `*` alone is every name, `*.` one label, `**.` one or more; nil after an error.
    static func pattern(_ field: Field) -> NameSelector? {
        guard let text = field.string() else { return nil }
        if let selector = NameSelector(text) { return selector }
        let plain = text.split(separator: "*", omittingEmptySubsequences: false).joined(separator: "x")
        guard text.contains("*"), DomainName(plain) != nil else {
            field.error(
                .invalidDomainName, "\(field.quoted) is not a pattern of DNS names",
                remedy: "write one like *.example.org: letters, digits, `-`, `_`, dots and `*`")
            return nil
        }
        field.error(
            .unsupportedFQDN, "pattern \(field.quoted) has a `*` that is not the whole first label",
            remedy: "write `*.` before a name for one label more, `**.` for any number, or each name by itself")
        return nil
    }

    /// A name in the language of the admin policies: a leading `*.` stands for any depth; nil after an error.
    static func adminName(_ field: Field) -> NameSelector? {
        guard let text = field.string() else { return nil }
        let isPattern = text.hasPrefix("*.")
        guard let name = DomainName(isPattern ? text.dropFirst(2) : text[...]) else {
            field.error(
                .invalidDomainName, "\(field.quoted) is not a DNS name",
                remedy: "write one like www.example.org, or *.example.org for all names below it")
            return nil
        }
        return NameSelector(isPattern ? .deep : .exact, name)
    }
}
