//! The macro of `actors-checkpoint`, which exports it again. Use it from there: what it expands to
//! names that crate.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, DeriveInput, Error, LitInt, Result, Type, meta::ParseNestedMeta};

/// Makes a serde type a `Checkpoint`.
///
/// | option | what it says |
/// |---|---|
/// | `schema = 2` | the number of its schema; 0 unless told otherwise |
/// | `from = Old` | what has an older schema is restored as `Old`, and turned into this type by `From` or `TryFrom` |
/// | `codec = Codec` | how it is encoded; `MessagePack` unless told otherwise |
///
/// ```
/// use actors_checkpoint::Checkpoint;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Checkpoint)]
/// #[checkpoint(schema = 3)]
/// struct Totals {
///     by_name: std::collections::BTreeMap<String, u64>,
/// }
/// ```
#[proc_macro_derive(Checkpoint, attributes(checkpoint))]
pub fn derive_checkpoint(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(input.into()).unwrap_or_else(Error::into_compile_error).into()
}

#[derive(Default)]
struct Options {
    schema: Option<LitInt>,
    from: Option<Type>,
    codec: Option<Type>,
}

fn expand(input: TokenStream) -> Result<TokenStream> {
    let DeriveInput { attrs, ident, generics, .. } = syn::parse2(input)?;
    let Options { schema, from, codec } = Options::of(&attrs)?;
    let schema = match schema {
        Some(schema) => schema.base10_parse::<u32>().map_err(|why| {
            Error::new_spanned(&schema, format!("a schema is a number of 32 bits: {why}"))
        })?,
        None => 0,
    };
    let codec = codec.map_or_else(|| quote!(::actors_checkpoint::MessagePack), |c| quote!(#c));
    let restore = match from {
        Some(old) if schema == 0 => {
            let message = "nothing is older than schema 0: say `schema = 1`, or more";
            return Err(Error::new_spanned(old, message));
        }
        Some(old) => quote!(restore_or_upgrade::<#codec, Self, #old>),
        None => quote!(restore::<#codec, Self>),
    };
    let (parameters, arguments, bounds) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #parameters ::actors_checkpoint::Checkpoint for #ident #arguments #bounds {
            fn capture(
                &self,
                into: &mut ::actors_checkpoint::Capture,
            ) -> ::core::result::Result<::actors_checkpoint::Blob, ::actors_checkpoint::PutError> {
                ::actors_checkpoint::derived::capture::<#codec, Self>(self, #schema, into)
            }

            fn restore(
                blob: &::actors_checkpoint::Blob,
            ) -> ::core::result::Result<Self, ::actors_checkpoint::RestoreError> {
                ::actors_checkpoint::derived::#restore(blob, #schema)
            }
        }
    })
}

impl Options {
    fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut options = Self::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("checkpoint")) {
            attribute.parse_nested_meta(|option| options.read(&option))?;
        }
        Ok(options)
    }

    fn read(&mut self, option: &ParseNestedMeta) -> Result<()> {
        let is_first = match option.path.get_ident().map(ToString::to_string).as_deref() {
            Some("schema") => self.schema.replace(option.value()?.parse()?).is_none(),
            Some("from") => self.from.replace(option.value()?.parse()?).is_none(),
            Some("codec") => self.codec.replace(option.value()?.parse()?).is_none(),
            _ => return Err(option.error("there are `schema`, `from` and `codec`")),
        };
        is_first.then_some(()).ok_or_else(|| option.error("it is said twice"))
    }
}
