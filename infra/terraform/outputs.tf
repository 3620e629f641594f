output "role_arn" {
  value       = aws_iam_role.github.arn
  description = "ARN of the role, for role-to-assume."
}

output "provider_arn" {
  value       = local.provider_arn
  description = "ARN of the identity provider, for the account's next roles."
}

output "workflow_snippet" {
  description = "What the job needs in the workflow."
  value       = <<-EOT
    permissions:
      id-token: write
      contents: read
    steps:
      - uses: org/py-aws-oidc@v1
        with:
          aws-region: ${data.aws_region.current.region}
          role-to-assume: ${aws_iam_role.github.arn}
          audience: ${var.audience}
  EOT
}
