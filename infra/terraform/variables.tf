variable "provider_arn" {
  type        = string
  default     = null
  description = "ARN of the identity provider, if this account has one for the issuer already: an account can hold one only. null creates it. It must list the audience."

  validation {
    condition     = var.provider_arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/[A-Za-z0-9.-]+(/[A-Za-z0-9._-]+)*$", var.provider_arn))
    error_message = "The provider_arn must be like arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com."
  }
}

variable "issuer" {
  type        = string
  default     = "token.actions.githubusercontent.com"
  nullable    = false
  description = "Issuer of the ID tokens, without https://, for a new provider. GitHub Enterprise Server: HOSTNAME/_services/token; an enterprise with a URL of its own: token.actions.githubusercontent.com/ENTERPRISE."

  validation {
    condition     = can(regex("^[A-Za-z0-9.-]+(/[A-Za-z0-9._-]+)*$", var.issuer))
    error_message = "The issuer must be a host name and a path, without https:// in front, a port or a slash at the end."
  }
}

variable "thumbprints" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "SHA-1 thumbprints of the certificate authority for a new provider. Only for a GitHub Enterprise Server whose certificate is not of a public authority; for all others AWS does not look at them."
}

variable "audience" {
  type        = string
  default     = "sts.amazonaws.com"
  nullable    = false
  description = "Audience of the ID tokens. In the regions of China, sts.amazonaws.com.cn is usual."

  validation {
    condition     = can(regex("^[A-Za-z0-9:/._-]+$", var.audience))
    error_message = "The audience must not be blank, nor have wildcards or white space."
  }
}

variable "owner" {
  type        = string
  nullable    = false
  description = "Organisation or user that owns the repository, in upper and lower case as GitHub shows it."

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.owner))
    error_message = "The owner must be one name without wildcards; anyone can register an owner that matches a wildcard."
  }
}

variable "repository" {
  type        = string
  nullable    = false
  description = "Name of the repository, without the owner, in upper and lower case as GitHub shows it."

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+$", var.repository))
    error_message = "The repository must be one name without owner and wildcards; make a role for each repository."
  }
}

variable "owner_id" {
  type        = string
  default     = null
  description = "Id of the owner. Repositories created, renamed or transferred after 15 July 2026 need both ids. They are printed by: gh api repos/OWNER/REPO --jq '.owner.id, .id'"

  validation {
    condition     = var.owner_id == null || can(regex("^[0-9]+$", var.owner_id))
    error_message = "The owner_id must be a number."
  }
}

variable "repository_id" {
  type        = string
  default     = null
  description = "Id of the repository; see owner_id."

  validation {
    condition     = var.repository_id == null || can(regex("^[0-9]+$", var.repository_id))
    error_message = "The repository_id must be a number."
  }
}

variable "branch" {
  type        = string
  default     = null
  description = "Branch whose jobs may have the role, like main. As in tag and environment, * and ? are wildcards."

  validation {
    condition     = var.branch == null || can(regex("^[^\":$\\\\\\x00-\\x1f]+$", var.branch))
    error_message = "The branch must not be blank, nor have \", $, :, a backslash or a control character."
  }
}

variable "tag" {
  type        = string
  default     = null
  description = "Tag whose jobs may have the role, like v*."

  validation {
    condition     = var.tag == null || can(regex("^[^\":$\\\\\\x00-\\x1f]+$", var.tag))
    error_message = "The tag must not be blank, nor have \", $, :, a backslash or a control character."
  }
}

variable "environment" {
  type        = string
  default     = null
  description = "Environment whose jobs may have the role, like production. A colon in its name is written as %3A."

  validation {
    condition     = var.environment == null || can(regex("^[^\":$\\\\\\x00-\\x1f]+$", var.environment))
    error_message = "The environment must not be blank, nor have \", $, a backslash, a control character, or a colon, which is written as %3A."
  }
}

variable "pull_requests" {
  type        = bool
  default     = false
  nullable    = false
  description = "Whether jobs of pull requests may have the role; what they run is not reviewed yet."
}

variable "role_name" {
  type        = string
  default     = null
  description = "Name of the role; null lets Terraform make one up."

  validation {
    condition     = var.role_name == null || can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", var.role_name))
    error_message = "The role_name must be up to 64 letters, digits and _+=,.@-."
  }
}

variable "role_path" {
  type        = string
  default     = "/"
  nullable    = false
  description = "Path of the role."

  validation {
    condition     = can(regex("^/([!-~]+/)?$", var.role_path))
    error_message = "The role_path must begin and end with a slash."
  }
}

variable "managed_policy_arns" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "ARNs of the managed policies that say what the role may do."
}

variable "permissions_boundary" {
  type        = string
  default     = null
  description = "ARN of the policy that bounds what the role may ever do."
}

variable "max_session_duration" {
  type        = number
  default     = 3600
  nullable    = false
  description = "The longest session that a workflow may ask for, in seconds."

  validation {
    condition     = var.max_session_duration >= 3600 && var.max_session_duration <= 43200
    error_message = "The max_session_duration must be 3600 to 43200 seconds."
  }
}
