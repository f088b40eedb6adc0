// SPDX-License-Identifier: Apache-2.0

/// The result of the plugins before this one.
struct PluginResult {
    let object: JSONObject

    /// What is printed for a caller who speaks `version`: the same where it is of that version already.
    ///
    /// Before 1.0.0 each address said of which family it is. Everything else is handed on, known or not.
    func converted(to version: CNIVersion) throws(CNIError) -> JSONObject {
        let own = object["cniVersion"]?.string ?? version.rawValue
        guard let from = CNIVersion(rawValue: own) else {
            throw CNIError(.incompatibleVersion, "prevResult is of version \(own), which is not spoken")
        }
        var result = object
        if object["cniVersion"] == nil { result.prepend("cniVersion", .string(version.rawValue)) }
        guard from != version else { return result }
        result["cniVersion"] = .string(version.rawValue)
        let hadFamilies = from < CNIVersion.withoutFamilies
        guard hadFamilies != (version < CNIVersion.withoutFamilies), let ips = object["ips"]?.array else {
            return result
        }
        result["ips"] = .array(
            ips.map { ip in
                guard var ip = ip.object else { return ip }
                if hadFamilies {
                    ip["version"] = nil
                } else {
                    let isV6 = ip["address"]?.string?.contains(":") == true
                    ip.prepend("version", .string(isV6 ? "6" : "4"))
                }
                return .object(ip)
            })
        return result
    }

    /// Addresses of an interface inside the container, without their prefix lengths; those that belong to none too.
    func addresses(of interface: String) -> [String] {
        let interfaces = object["interfaces"]?.array ?? []
        return (object["ips"]?.array ?? []).compactMap { ip in
            guard let text = ip.object?["address"]?.string else { return nil }
            if let place = ip.object?["interface"]?.integer {
                guard interfaces.indices.contains(place), let owner = interfaces[place].object,
                    owner["name"]?.string == interface, owner["sandbox"]?.string?.isEmpty == false
                else { return nil }
            }
            return String(text.prefix { $0 != "/" })
        }
    }

    /// Names of the devices that other plugins made outside the container.
    var hostInterfaces: [String] {
        (object["interfaces"]?.array ?? []).compactMap { interface in
            guard let interface = interface.object, interface["sandbox"]?.string?.isEmpty != false else { return nil }
            return interface["name"]?.string
        }
    }
}
