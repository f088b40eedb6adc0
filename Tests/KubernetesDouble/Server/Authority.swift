// SPDX-License-Identifier: Apache-2.0

import Crypto
import FoundationEssentials
import NIOSSL
import SwiftASN1
import X509

/// A certificate authority of the test's own, with the certificates that it issues.
package struct Authority: Sendable {
    /// A certificate with its key, both as PEM.
    package struct Identity: Sendable {
        package var certificate: String
        package var key: String
    }

    private let key: Certificate.PrivateKey
    private let name: DistinguishedName
    private let certificate: Certificate
    /// The authority's certificate as PEM: what clients trust.
    package let pem: String

    /// Makes an authority.
    ///
    /// Its name tells it from those before it, so that a client cannot take one for another.
    package init() throws {
        key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        name = try DistinguishedName {
            CommonName("double \(UUID().uuidString)")
        }
        certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
            notValidBefore: Date(timeIntervalSinceNow: -3600), notValidAfter: Date(timeIntervalSinceNow: 86400 * 30),
            issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(keyCertSign: true))
            }, issuerPrivateKey: key)
        pem = try certificate.serializeAsPEM().pemString
    }

    /// A server's certificate.
    ///
    /// - Parameters:
    ///   - hosts: names and addresses it is good for.
    ///   - seconds: how long it is good from now; negative for one that has expired.
    package func server(hosts: [String], seconds: Double = 86400) throws -> Identity {
        let names = hosts.map { host -> GeneralName in
            Self.addressBytes(host).map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) } ?? .dnsName(host)
        }
        return try issue(
            DistinguishedName { CommonName("kube-apiserver") }, seconds: seconds,
            extensions: Certificate.Extensions {
                SubjectAlternativeNames(names)
                try ExtendedKeyUsage([.serverAuth])
            })
    }

    /// A client's certificate: the common name is the user, the organisations are its groups.
    package func client(_ user: DoubleUser, seconds: Double = 86400) throws -> Identity {
        let subject = try DistinguishedName {
            for group in user.groups { OrganizationName(group) }
            CommonName(user.name)
        }
        return try issue(
            subject, seconds: seconds, extensions: Certificate.Extensions { try ExtendedKeyUsage([.clientAuth]) })
    }

    private func issue(
        _ subject: DistinguishedName, seconds: Double, extensions: Certificate.Extensions
    ) throws -> Identity {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
            notValidBefore: Date(timeIntervalSinceNow: min(-3600, seconds - 3600)),
            notValidAfter: Date(timeIntervalSinceNow: seconds), issuer: name, subject: subject,
            signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions, issuerPrivateKey: self.key)
        return Identity(
            certificate: try certificate.serializeAsPEM().pemString, key: try key.serializeAsPEM().pemString)
    }

    /// The user that a client's certificate names.
    static func user(of certificate: NIOSSLCertificate) -> DoubleUser? {
        guard let bytes = try? certificate.toDERBytes(), let parsed = try? Certificate(derEncoded: bytes) else {
            return nil
        }
        var user = DoubleUser("")
        for attribute in parsed.subject.flatMap({ $0 }) {
            let text = String(describing: attribute.value)
            if attribute.type == .RDNAttributeType.commonName { user.name = text }
            if attribute.type == .RDNAttributeType.organizationName { user.groups.append(text) }
        }
        return user.name.isEmpty ? nil : user
    }

    private static func addressBytes(_ host: String) -> [UInt8]? {
        if host == "::1" { return [UInt8](repeating: 0, count: 15) + [1] }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return parts.count == 4 && !parts.contains(nil) ? parts.compactMap { $0 } : nil
    }
}
