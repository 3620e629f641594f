# A role that the workflows of one repository may have, and GitHub as an identity provider if the account has none yet.
# ../README.md says how to fill it in; ../cloudformation is the same for CloudFormation.

data "aws_region" "current" {}

locals {
  provider_arn = var.provider_arn == null ? aws_iam_openid_connect_provider.github[0].arn : var.provider_arn
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.provider_arn == null ? 1 : 0

  url             = "https://${var.issuer}"
  client_id_list  = [var.audience]
  thumbprint_list = length(var.thumbprints) == 0 ? null : var.thumbprints
}

resource "aws_iam_role" "github" {
  name                 = var.role_name
  path                 = var.role_path
  description          = "GitHub Actions in ${var.owner}/${var.repository}"
  max_session_duration = var.max_session_duration
  permissions_boundary = var.permissions_boundary
  assume_role_policy   = jsonencode(local.trust)

  lifecycle {
    precondition {
      condition     = length(local.contexts) > 0
      error_message = "No job could assume this role. Name the jobs: set branch, tag or environment, or pull_requests = true."
    }

    precondition {
      condition     = (var.owner_id == null) == (var.repository_id == null)
      error_message = "GitHub writes both ids or none. Set owner_id and repository_id, or neither."
    }
  }
}

resource "aws_iam_role_policy_attachment" "github" {
  for_each = toset(var.managed_policy_arns)

  role       = aws_iam_role.github.name
  policy_arn = each.value
}
