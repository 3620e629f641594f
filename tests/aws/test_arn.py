import pytest

from py_aws_oidc.aws.arn import AssumedRole, Role


@pytest.mark.parametrize(
    ("arn", "partition", "account", "name"),
    [
        ("arn:aws:iam::123456789012:role/deploy", "aws", "123456789012", "deploy"),
        ("arn:aws-cn:iam::000000000001:role/a/path/deploy", "aws-cn", "000000000001", "deploy"),
        ("arn:aws-us-gov:iam::123456789012:role/x+=,.@-_", "aws-us-gov", "123456789012", "x+=,.@-_"),
        ("arn:aws-iso-b:iam::123456789012:role/r", "aws-iso-b", "123456789012", "r"),
    ],
)
def test_a_role_arn_is_read(arn, partition, account, name):
    assert Role.parse(arn) == Role(arn, partition, account, name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deploy", "is not an ARN"),
        ("arn:aws:iam::123456789012:role/de ploy", "contains white space"),
        ("arn:aws:iam::123456789012:user/ci", "of another resource"),
        ("arn:aws:iam::123456789012:oidc-provider/token.example", "of another resource"),
        ("arn:aws:sts::123456789012:assumed-role/deploy/x", "of another resource"),
        ("arn:aws:s3:::bucket", "of another resource"),
        ("arn:", "of another resource"),
        ("arn:aws:iam::12345678901:role/deploy", "does not have 12 digits"),
        ("arn:aws:iam::123456789012:role/", "is not a valid role ARN"),
        ("arn:AWS:iam::123456789012:role/deploy", "is not a valid role ARN"),
        ("arn:aws:iam::123456789012:role/" + "x" * 65, "is not a valid role ARN"),
    ],
)
def test_what_is_no_role_arn_is_told_why(text, said):
    with pytest.raises(ValueError, match="a role ARN looks like") as caught:
        Role.parse(text)

    assert said in str(caught.value)


def test_an_assumed_role_names_its_account():
    arn = "arn:aws-cn:sts::123456789012:assumed-role/deploy/GitHubActions"

    assert AssumedRole.parse(arn).account == "123456789012"


@pytest.mark.parametrize("text", ["", "arn:aws:iam::123456789012:role/x", "arn:aws:sts::1:assumed-role/a/bb"])
def test_what_is_no_assumed_role_is_an_error(text):
    with pytest.raises(ValueError, match="is not the ARN of an assumed role"):
        AssumedRole.parse(text)
