"""The ways to fill in the template and the module, with the template's names."""

import re

GITHUB = "token.actions.githubusercontent.com"
ENTERPRISE_SERVER = "github.example.com/_services/token"
ENTERPRISE = f"{GITHUB}/octo-enterprise"
REPOSITORY = {"Owner": "octo-org", "Repository": "octo-repo"}
IDS = {"OwnerId": "65", "RepositoryId": "74"}
ALL = {"Branch": "main", "Tag": "v*", "Environment": "production", "PullRequests": "true"}
POLICY = "arn:aws:iam::123456789012:policy"
VARIANTS = {
    "branch": {"Branch": "main"},
    "branches": {"Branch": "release/*"},
    "every branch": {"Branch": "*"},
    "tags": {"Tag": "v*"},
    "environment": {"Environment": "production"},
    "environment with a colon and a blank": {"Environment": "production%3A eu west"},
    "pull requests": {"PullRequests": "true"},
    "branch and environment": {"Branch": "main", "Environment": "production"},
    "all": ALL,
    "branch, with ids": {"Branch": "main", **IDS},
    "all, with ids": {**ALL, **IDS},
    "existing provider": {
        "Branch": "main",
        "ProviderArn": f"arn:aws:iam::123456789012:oidc-provider/{GITHUB}",
    },
    "GitHub Enterprise Server": {
        "Branch": "main",
        "Issuer": ENTERPRISE_SERVER,
        "Thumbprints": f"{'0a' * 20}, {'1b' * 20}",
    },
    "enterprise's own issuer, existing": {
        "Environment": "production",
        "ProviderArn": f"arn:aws:iam::123456789012:oidc-provider/{ENTERPRISE}",
    },
    "another audience": {"Branch": "main", "Audience": "https://github.com/octo-org"},
    "China": {"Branch": "main", "Audience": "sts.amazonaws.com.cn", "region": "cn-north-1"},
    "China, existing provider": {
        "Branch": "main",
        "Audience": "sts.amazonaws.com.cn",
        "ProviderArn": f"arn:aws-cn:iam::123456789012:oidc-provider/{GITHUB}",
        "region": "cn-north-1",
    },
    "all about the role": {
        "Branch": "main",
        "RoleName": "deploy",
        "RolePath": "/ci/",
        "ManagedPolicyArns": f"{POLICY}/upload, {POLICY}/invalidate",
        "PermissionsBoundary": f"{POLICY}/boundary",
        "MaxSessionDuration": "43200",
    },
}
VARIANTS = {name: REPOSITORY | variant for name, variant in VARIANTS.items()}

# name, parameters, and a part of what their user is told
REFUSED = {
    "nobody": ({}, "No job could assume this role"),
    "one id": ({"Branch": "main", "OwnerId": "65"}, "both ids or none"),
    "the other id": ({"Branch": "main", "RepositoryId": "74"}, "both ids or none"),
    "an id in letters": ({"Branch": "main", "OwnerId": "6*", "RepositoryId": "74"}, "must be a number"),
    "an open owner": ({"Branch": "main", "Owner": "octo-org*"}, "anyone can register"),
    "no owner": ({"Branch": "main", "Owner": ""}, "anyone can register"),
    "every repository": ({"Branch": "main", "Repository": "*"}, "a role for each repository"),
    "owner and repository in one": ({"Branch": "main", "Repository": "octo-org/octo-repo"}, "without owner"),
    "a branch that ends the text": ({"Branch": 'main", "repo:*'}, "backslash"),
    "a branch with a backslash": ({"Branch": "main\\"}, "backslash"),
    "a tag with a policy variable": ({"Tag": "${aws:username}"}, "must not"),
    "an environment with a colon": ({"Environment": "eu:west"}, "%3A"),
    "an issuer with https": ({"Branch": "main", "Issuer": f"https://{GITHUB}"}, "without https://"),
    "an issuer with a slash": ({"Branch": "main", "Issuer": f"{GITHUB}/"}, "slash at the end"),
    "a role's ARN for the provider's": (
        {"Branch": "main", "ProviderArn": "arn:aws:iam::123456789012:role/deploy"},
        "must be like arn:aws:iam::123456789012:oidc-provider/",
    ),
    "every audience": ({"Branch": "main", "Audience": "*"}, "wildcards"),
    "no audience": ({"Branch": "main", "Audience": ""}, "must not be blank"),
    "a role's name with a slash": ({"Branch": "main", "RoleName": "ci/deploy"}, "letters, digits"),
    "a path without slashes": ({"Branch": "main", "RolePath": "ci"}, "begin and end with a slash"),
}
REFUSED = {name: (REPOSITORY | variant, said) for name, (variant, said) in REFUSED.items()}


def variables(variant: dict[str, str]) -> dict[str, object]:
    """The same variant with the module's names and types; what is left out here is left out there."""
    lists = {"ManagedPolicyArns", "Thumbprints"}
    return {
        re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): [item.strip() for item in value.split(",")]
        if name in lists
        else value == "true"
        if name == "PullRequests"
        else int(value)
        if name == "MaxSessionDuration"
        else value
        for name, value in variant.items()
    }
