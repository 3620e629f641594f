# Who may have the role: what follows from the variables alone.

locals {
  contexts = compact([
    var.branch == null ? "" : "ref:refs/heads/${var.branch}",
    var.tag == null ? "" : "ref:refs/tags/${var.tag}",
    var.environment == null ? "" : "environment:${var.environment}",
    var.pull_requests ? "pull_request" : "",
  ])

  # GitHub writes `sub` with names alone, or with both ids.
  repositories = compact([
    "${var.owner}/${var.repository}",
    var.owner_id == null || var.repository_id == null ? "" : "${var.owner}@${var.owner_id}/${var.repository}@${var.repository_id}",
  ])

  host = var.provider_arn == null ? var.issuer : split(":oidc-provider/", var.provider_arn)[1]

  # StringLike is StringEquals where there is no wildcard.
  trust = {
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Federated = local.provider_arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = { "${local.host}:aud" = var.audience }
          StringLike = {
            "${local.host}:sub" = [for pair in setproduct(local.repositories, local.contexts) : "repo:${pair[0]}:${pair[1]}"]
          }
        }
      },
    ]
  }
}
