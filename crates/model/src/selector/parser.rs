//! The grammar of the text form of label selectors. It and its error texts are upstream's,
//! odd ones included: clients see them.

use super::labels::{Operator, Requirement, check_key};
use super::lexer::{Kind, Token, tokens};
use crate::field::Path;
use std::collections::BTreeSet;

/// Parses a whole selector.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser {
        tokens: tokens(text),
        position: 0,
    };
    let mut requirements = Vec::new();
    loop {
        let token = parser.peek();
        match token.as_value() {
            Kind::Identifier | Kind::Exclamation => {
                let requirement = parser
                    .requirement()
                    .map_err(|e| format!("unable to parse requirement: {e}"))?;
                requirements.push(requirement);
                let after = parser.take();
                match after.as_value() {
                    Kind::End => return Ok(requirements),
                    Kind::Comma => {
                        let next = parser.peek();
                        if !matches!(next.as_value(), Kind::Identifier | Kind::Exclamation) {
                            return Err(format!(
                                "found '{}', expected: identifier after ','",
                                next.text
                            ));
                        }
                    }
                    _ => {
                        return Err(format!(
                            "found '{}', expected: ',' or 'end of string'",
                            after.text
                        ));
                    }
                }
            }
            Kind::End => return Ok(requirements),
            _ => {
                return Err(format!(
                    "found '{}', expected: !, identifier, or 'end of string'",
                    token.text
                ));
            }
        }
    }
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    position: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.get(self.position).copied().unwrap_or(Token {
            kind: Kind::End,
            text: "",
        })
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        self.position += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let mut token = self.take();
        let negated = token.kind == Kind::Exclamation;
        if negated {
            token = self.take();
        }
        if token.as_value() != Kind::Identifier {
            return Err(format!("found '{}', expected: identifier", token.text));
        }
        let key = token.text;
        check_key(key, &Path::root()).map_err(|e| e.to_string())?;
        let values = BTreeSet::new();
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, values);
        }
        if matches!(self.peek().as_value(), Kind::End | Kind::Comma) {
            return Requirement::new(key, Operator::Exists, values);
        }
        let operator = self.operator()?;
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => self.exact_value()?,
        };
        Requirement::new(key, operator, values)
    }

    fn operator(&mut self) -> Result<Operator, String> {
        let token = self.take();
        Ok(match token.kind {
            Kind::In => Operator::In,
            Kind::NotIn => Operator::NotIn,
            Kind::Equals => Operator::Equals,
            Kind::DoubleEquals => Operator::DoubleEquals,
            Kind::NotEquals => Operator::NotEquals,
            Kind::GreaterThan => Operator::GreaterThan,
            Kind::LessThan => Operator::LessThan,
            _ => {
                return Err(format!(
                    "found '{}', expected: in, notin, =, ==, !=, gt, lt",
                    token.text
                ));
            }
        })
    }

    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        let open = self.take();
        if open.kind != Kind::Open {
            return Err(format!("found '{}' expected: '('", open.text));
        }
        let first = self.peek();
        match first.as_value() {
            Kind::Identifier | Kind::Comma => {
                let values = self.value_list()?;
                if self.take().kind != Kind::Close {
                    return Err(format!("found '{}', expected: ')'", first.text));
                }
                Ok(values)
            }
            Kind::Close => {
                self.take();
                Ok(BTreeSet::new())
            }
            _ => Err(format!(
                "found '{}', expected: ',', ')' or identifier",
                first.text
            )),
        }
    }

    /// Values between commas, up to the closing parenthesis; nothing between commas is the empty
    /// value.
    fn value_list(&mut self) -> Result<BTreeSet<String>, String> {
        let mut values = BTreeSet::new();
        loop {
            let token = self.take();
            let next = self.peek();
            match token.as_value() {
                Kind::Identifier => {
                    values.insert(token.text.to_owned());
                    match next.as_value() {
                        Kind::Comma => {}
                        Kind::Close => return Ok(values),
                        _ => {
                            return Err(format!("found '{}', expected: ',' or ')'", next.text));
                        }
                    }
                }
                Kind::Comma => {
                    if values.is_empty() {
                        values.insert(String::new());
                    }
                    match next.as_value() {
                        Kind::Close => {
                            values.insert(String::new());
                            return Ok(values);
                        }
                        Kind::Comma => {
                            self.take();
                            values.insert(String::new());
                        }
                        _ => {}
                    }
                }
                _ => {
                    return Err(format!(
                        "found '{}', expected: ',', or identifier",
                        token.text
                    ));
                }
            }
        }
    }

    fn exact_value(&mut self) -> Result<BTreeSet<String>, String> {
        if matches!(self.peek().as_value(), Kind::End | Kind::Comma) {
            return Ok(BTreeSet::from([String::new()]));
        }
        let token = self.take();
        if token.as_value() == Kind::Identifier {
            Ok(BTreeSet::from([token.text.to_owned()]))
        } else {
            Err(format!("found '{}', expected: identifier", token.text))
        }
    }
}
