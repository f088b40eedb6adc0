// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Reads prefixes and their exceptions.
enum CIDRReading {
    /// A prefix; a bare address too where the dialect has it.
    ///
    /// Bits outside the prefix are cleared with a warning, or refused where the dialect refuses them.
    static func prefix(_ field: Field, allowsAddress: Bool = false, isStrict: Bool = false) -> CIDR? {
        guard let text = field.string() else { return nil }
        if allowsAddress, !text.contains("/"), let address = IPAddress(text) { return CIDR(host: address) }
        do {
            let (prefix, hasHostBits) = try CIDR.parseLenient(text)
            if hasHostBits, isStrict {
                field.error(
                    .invalidCIDR, "\(field.quoted) has bits set outside its prefix, which the API refuses here",
                    remedy: "write \(prefix), or the length that was meant")
                return nil
            }
            if hasHostBits {
                field.report(
                    .warning, .hostBits, "\(field.quoted) has bits set outside its prefix and means \(prefix)",
                    remedy: "write \(prefix), or the length that was meant")
            }
            return prefix
        } catch {
            let remedy =
                IPAddress(text).map { "write \(CIDR(host: $0))" } ?? "write a prefix like 10.0.0.0/8 or 2001:db8::/32"
            field.error(.invalidCIDR, "\(field.quoted) is not a prefix: \(error.reason)", remedy: remedy)
            return nil
        }
    }

    /// The exceptions of a prefix; each must be inside it.
    ///
    /// One that is all of it: Kubernetes wants a strict subset, Cilium takes it.
    static func exceptions(_ field: Field?, of prefix: CIDR?, mayBeWhole: Bool) -> [CIDR] {
        guard let elements = field?.elements() else { return [] }
        return elements.compactMap { element in
            guard let exception = CIDRReading.prefix(element) else { return nil }
            if exception == prefix { return whole(element, exception, isAllowed: mayBeWhole) }
            guard let prefix, !prefix.contains(exception) else { return exception }
            element.error(
                .exceptOutside,
                exception.isIPv4 == prefix.isIPv4
                    ? "exception \(exception) is not inside \(prefix)"
                    : "exception \(exception) and prefix \(prefix) are of different families",
                remedy: "delete the exception or widen the prefix")
            return nil
        }
    }

    private static func whole(_ element: Field, _ exception: CIDR, isAllowed: Bool) -> CIDR? {
        guard !isAllowed else {
            element.report(
                .warning, .selectsNothing, "exception \(exception) is all of its prefix, so that nothing is left",
                remedy: "delete the element, or except less")
            return exception
        }
        element.error(
            .exceptOutside, "exception \(exception) is all of its prefix, so that nothing is left",
            remedy: "delete the peer, or except less")
        return nil
    }
}
