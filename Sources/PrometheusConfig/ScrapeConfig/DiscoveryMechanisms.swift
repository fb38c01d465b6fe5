//
// DiscoveryMechanisms.swift: the discovery mechanisms there are and those that a job may use here.
//
// A mechanism of Prometheus that is not supported is refused by its name: to ignore it would lose a job's targets
// without a word.
//

enum DiscoveryMechanisms {
    static let supported = ["static_configs", "file_sd_configs", "http_sd_configs"]

    /// What Prometheus v3.14 has besides.
    static let unsupported: Set<String> = Set(
        [
            "aws", "azure", "consul", "digitalocean", "dns", "docker", "dockerswarm", "ec2", "ecs", "elasticache",
            "eureka", "gce", "hetzner", "ionos", "kubernetes", "kuma", "lightsail", "linode", "marathon", "msk",
            "nerve",
            "nomad", "oci", "openstack", "outscale", "ovhcloud", "puppetdb", "rds", "scaleway", "serverset", "stackit",
            "triton", "uyuni", "vultr",
        ].map { "\($0)_sd_configs" })

    /// The refusal of one of them, in words for a person.
    static func refusal(of key: String) -> String {
        "\(key) is not supported yet; supported: \(supported.joined(separator: ", "))"
    }
}
